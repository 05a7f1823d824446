/** Voice, microphone and how the browser treats the sound. */

import { useEffect, useState } from "react";
import { microphones } from "../../audio/engine";
import { useI18n } from "../../i18n/i18n";
import type { Schemas } from "../../api/client";
import { paceOf, PACES, type Pace, type SoundSettings } from "../../live/settings";
import { useVoices } from "../../live/voices";
import { Button, Select, styles as ui } from "../../ui/ui";
import styles from "./talk.module.css";

const DEFAULT_DEVICE = "";

interface Props {
  readonly settings: SoundSettings;
  readonly level: Schemas["Level"];
  readonly onChange: (settings: SoundSettings) => void;
}

export function Sound({ settings, level, onChange }: Props) {
  const { t } = useI18n();
  const voices = useVoices();
  const devices = useMicrophones();
  const options = devices.map((device) => ({ value: device.deviceId, label: device.label || device.deviceId }));
  return (
    <details className={styles.sound}>
      <summary>{t("picture.settings")}</summary>
      <Select
        label={t("field.voice")}
        value={settings.voice ?? voices[0]?.value ?? ""}
        options={voices}
        onChange={(voice) => onChange({ ...settings, voice })}
      />
      <Select
        label={t("picture.microphone")}
        value={settings.deviceId ?? DEFAULT_DEVICE}
        options={[{ value: DEFAULT_DEVICE, label: t("picture.defaultMicrophone") }, ...options]}
        onChange={(value) => onChange({ ...settings, deviceId: value === DEFAULT_DEVICE ? null : value })}
      />
      <Select
        label={t("pace.title")}
        value={String(paceOf(settings, level))}
        options={PACES.map((pace) => ({ value: String(pace), label: t(`pace.${pace}`) }))}
        onChange={(value) => onChange({ ...settings, pace: Number(value) as Pace })}
      />
      <label className={ui.check}>
        <input
          type="checkbox"
          checked={settings.raw}
          onChange={(event) => onChange({ ...settings, raw: event.target.checked })}
        />
        {t("picture.raw")}
      </label>
      <label className={ui.check}>
        <input
          type="checkbox"
          checked={settings.half}
          onChange={(event) => onChange({ ...settings, half: event.target.checked })}
        />
        {t("picture.half")}
      </label>
      <label className={ui.check}>
        <input
          type="checkbox"
          checked={settings.hold}
          onChange={(event) => onChange({ ...settings, hold: event.target.checked })}
        />
        {t("picture.hold")}
      </label>
      {settings.checked && <Button onClick={() => onChange({ ...settings, checked: false })}>{t("room.begin")}</Button>}
    </details>
  );
}

function useMicrophones(): readonly MediaDeviceInfo[] {
  const [devices, setDevices] = useState<readonly MediaDeviceInfo[]>([]);
  useEffect(() => {
    const update = (): void => void microphones().then(setDevices);
    update();
    navigator.mediaDevices?.addEventListener("devicechange", update);
    return () => navigator.mediaDevices?.removeEventListener("devicechange", update);
  }, []);
  return devices;
}
