/** The conversation about a picture: preparation, the live conversation, and its end. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { Link, useNavigate, useParams } from "react-router";
import { api, body, type Schemas } from "../../api/client";
import { useConfig } from "../../api/config";
import { useSession } from "../../api/use-session";
import { AudioEngine, type MicrophoneError } from "../../audio/engine";
import { useI18n } from "../../i18n/i18n";
import { LiveSession } from "../../live/session";
import { loadSettings, paceOf, saveSettings, type SoundSettings } from "../../live/settings";
import { Button, buttonClass, ErrorMessage, Loading, PageTitle, Simulated, styles as ui } from "../../ui/ui";
import { PICTURES_STALE_MS } from "../gallery/gallery";
import { Live } from "./live";
import { RoomCheck } from "./room-check";
import { Sound } from "./sound";
import { PictureImage } from "../../ui/picture";
import styles from "./talk.module.css";

export type Picture = Schemas["PictureDetails"];

/** How long the service keeps a conversation without a client, if it has not said so. */
const GRACE_SECONDS = 60;

export function Talk() {
  const { imageId = "" } = useParams();
  const session = useSession();
  const user = session.state === "signedIn" ? session.user : null;
  const level = user?.level ?? "B1";
  const picture = useQuery({
    queryKey: ["picture", imageId, level],
    queryFn: () => body(() => api.GET("/api/pictures/{id}", { params: { path: { id: imageId }, query: { level } } })),
    staleTime: PICTURES_STALE_MS,
  });
  if (picture.isPending) {
    return (
      <main className={styles.page}>
        <Loading />
      </main>
    );
  }
  if (picture.data === undefined) {
    return (
      <main className={styles.page}>
        <ErrorMessage error={picture.error} retry={() => void picture.refetch()} />
        <Back />
      </main>
    );
  }
  return <Conversation key={imageId} picture={picture.data} level={level} />;
}

function Conversation({ picture, level }: { readonly picture: Picture; readonly level: Schemas["Level"] }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const config = useConfig();
  const [settings, setSettings] = useState(loadSettings);
  const [live, setLive] = useState<LiveSession | null>(null);
  const [microphone, setMicrophone] = useState<MicrophoneError | "off" | null>(null);
  const [error, setError] = useState<unknown>(null);
  const current = useRef<LiveSession | null>(null);

  useEffect(() => () => void current.current?.close(), []);
  useEffect(() => saveSettings(settings), [settings]);

  /** Runs in the learner's tap: only there may sound begin. */
  const start = async (withMicrophone: boolean): Promise<void> => {
    setError(null);
    let session: LiveSession | null = null;
    const engine = new AudioEngine({
      frame: (samples) => session?.frame(samples),
      played: (report) => session?.played(report),
      microphoneLost: () => {
        if (session === null) setMicrophone("missing");
        else void session.replaceMicrophone();
      },
    });
    engine.setMuted(settings.hold);
    engine.setVolume(settings.volume);
    engine.setPace(paceOf(settings, level));
    try {
      const problem = withMicrophone ? await engine.startMicrophone(settings) : "off";
      if (problem !== null && problem !== "off") {
        setMicrophone(problem);
        await engine.close();
        return;
      }
      setMicrophone(problem);
      await engine.startPlayer();
      const voice = config?.voices.find(({ id }) => id === settings.voice)?.id ?? null;
      const request = { imageId: picture.imageId, level, voice };
      const started = await body(() => api.POST("/api/conversations", { body: request }));
      const graceSeconds = config?.limits.graceSeconds ?? GRACE_SECONDS;
      session = new LiveSession(started.conversationId, { engine, microphone: settings, graceSeconds });
      session.setHeld(settings.half);
      session.connect(started);
      current.current = session;
      setLive(session);
    } catch (failure) {
      setError(failure);
      await engine.close();
    }
  };

  const leave = (): void => {
    const id = live?.conversationId;
    void current.current?.close();
    current.current = null;
    void queries.invalidateQueries({ queryKey: ["conversations"] });
    void queries.invalidateQueries({ queryKey: ["progress"] });
    void navigate(id === undefined ? "/" : `/result/${id}`);
  };

  if (live !== null) {
    return (
      <Live
        session={live}
        picture={picture}
        level={level}
        settings={settings}
        typing={microphone === "off"}
        leave={leave}
        onSettings={setSettings}
      />
    );
  }
  return (
    <Preparation
      picture={picture}
      level={level}
      settings={settings}
      onSettings={setSettings}
      microphone={microphone === "off" ? null : microphone}
      error={error}
      start={start}
    />
  );
}

function Preparation(props: {
  readonly picture: Picture;
  readonly level: Schemas["Level"];
  readonly settings: SoundSettings;
  readonly onSettings: (settings: SoundSettings) => void;
  readonly microphone: MicrophoneError | null;
  readonly error: unknown;
  readonly start: (withMicrophone: boolean) => Promise<void>;
}) {
  const { t } = useI18n();
  const config = useConfig();
  const [busy, setBusy] = useState(false);
  const begin = (withMicrophone: boolean): void => {
    setBusy(true);
    void props.start(withMicrophone).finally(() => setBusy(false));
  };
  const { picture } = props;
  return (
    <main className={`${styles.page} ${styles.preparation}`}>
      <div className={styles.heading}>
        <Back />
        <PageTitle>{picture.title}</PageTitle>
      </div>
      <Stage picture={picture} />
      <div className={styles.side}>
        <section>
          <h2>{t("picture.objectives")}</h2>
          <ul lang="en" className={styles.list}>
            {picture.objectives.map((objective) => (
              <li key={objective}>{objective}</li>
            ))}
          </ul>
        </section>
        <section>
          <h2>{t("picture.vocabulary")}</h2>
          <ul lang="en" className={ui.row}>
            {picture.vocabulary.map((word) => (
              <li key={word} className={ui.chip}>
                {word}
              </li>
            ))}
          </ul>
        </section>
        {!props.settings.checked && <RoomCheck settings={props.settings} onChange={props.onSettings} />}
        <Sound settings={props.settings} level={props.level} onChange={props.onSettings} />
        <div role="alert">
          {props.microphone !== null && (
            <div className={`${ui.banner} ${ui.bad}`}>
              <h2>{t("microphone.title")}</h2>
              <p>{t(`microphone.${props.microphone}`)}</p>
            </div>
          )}
        </div>
        <ErrorMessage error={props.error} />
        <p className={ui.hint}>
          {t("picture.note")} {config?.modelsSimulated === true && <Simulated />}
        </p>
        <div className={`${ui.row} ${styles.actions}`}>
          <Button kind="primary" disabled={busy} onClick={() => begin(true)}>
            {t("picture.start")}
          </Button>
          <Button disabled={busy} onClick={() => begin(false)}>
            {t(props.microphone === null ? "picture.startTyping" : "microphone.type")}
          </Button>
        </div>
      </div>
    </main>
  );
}

export function Stage({ picture, state }: { readonly picture: Picture; readonly state?: string }) {
  return (
    <div className={styles.stage} data-speaker={state}>
      <PictureImage picture={picture} sizes="(min-width: 60rem) 50vw, 100vw" />
    </div>
  );
}

function Back() {
  const { t } = useI18n();
  return (
    <Link to="/" className={buttonClass()}>
      {t("app.back")}
    </Link>
  );
}
