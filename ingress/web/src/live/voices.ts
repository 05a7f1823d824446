/** The tutor's voices by the names that learners see. */

import { useConfig } from "../api/config";
import { isMessage, useI18n } from "../i18n/i18n";

export interface Voice {
  readonly value: string;
  readonly label: string;
}

/** The voices of the service, the default first; none until they are known. */
export function useVoices(): readonly Voice[] {
  const { t } = useI18n();
  const voices = useConfig()?.voices ?? [];
  return voices.map(({ id, accent }) => {
    const text = `accent.${accent}`;
    const name = id.charAt(0).toUpperCase() + id.slice(1);
    return { value: id, label: t("voice.name", { name, accent: isMessage(text) ? t(text) : accent }) };
  });
}
