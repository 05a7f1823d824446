/** What came of a conversation: the results as they arrive, one correction first, the scores with their proof, the transcript. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link, useNavigate, useParams } from "react-router";
import { ApiError, api, body, type Schemas } from "../../api/client";
import { followResults, type ResultEvent } from "../../api/results";
import { useSession } from "../../api/use-session";
import { useI18n } from "../../i18n/i18n";
import { forget, keep } from "../../offline/kept";
import { Button, buttonClass, Dialog, ErrorMessage, Loading, PageTitle, Simulated, styles as ui } from "../../ui/ui";
import { Exercise } from "./exercise";
import styles from "./result.module.css";
import { Transcript, usePlayTurn } from "./transcript";

type Assessment = Schemas["AssessmentView"];
type TranscriptView = Schemas["TranscriptView"];
const SKILLS = ["fluency", "vocabulary", "grammar", "relevance"] as const;

export function Result() {
  const { conversationId = "" } = useParams();
  const { t } = useI18n();
  const stages = useStages(conversationId);
  const path = { params: { path: { id: conversationId } } };
  const transcript = useQuery({
    queryKey: ["transcript", conversationId],
    queryFn: () => orNull(body(() => api.GET("/api/conversations/{id}/transcript", path))),
  });
  const assessment = useQuery({
    queryKey: ["assessment", conversationId],
    queryFn: () => orNull(body(() => api.GET("/api/conversations/{id}/assessment", path))),
  });
  useKeep(transcript.data, assessment.data);
  const words = transcript.data === null || typeof transcript.data === "string" ? undefined : transcript.data;
  return (
    <>
      <PageTitle>{t("result.title")}</PageTitle>
      <Strip stages={stages} />
      <ErrorMessage error={transcript.error ?? assessment.error} />
      {stages.failed && <p className={ui.banner}>{t("result.failed")}</p>}
      {stages.lost && <p className={ui.banner}>{t("result.streamLost")}</p>}
      {assessment.data !== null && assessment.data !== undefined && (
        <Assessed view={assessment.data} transcript={words} />
      )}
      {words !== undefined && <Transcript transcript={words} />}
      {words === undefined && transcript.isPending && <Loading />}
      <Delete conversationId={conversationId} />
    </>
  );
}

/** Keeps the result for the time without a connection. */
function useKeep(transcript: TranscriptView | string | null | undefined, assessment: Assessment | null | undefined) {
  const session = useSession();
  const userId = session.state === "signedIn" ? session.user.userId : null;
  useEffect(() => {
    if (userId === null || typeof transcript !== "object" || transcript === null || assessment === undefined) return;
    // A browser that refuses storage keeps nothing.
    keep({ userId, transcript, assessment, openedAt: Date.now() }).catch(() => undefined);
  }, [userId, transcript, assessment]);
}

interface Stages {
  readonly seconds: Partial<Record<ResultEvent, number>>;
  readonly failed: boolean;
  readonly lost: boolean;
}

/** Follows the stream of results and loads what each event announces. */
function useStages(conversationId: string): Stages {
  const queries = useQueryClient();
  const [stages, setStages] = useState<Stages>({ seconds: {}, failed: false, lost: false });
  useEffect(() => {
    const abort = new AbortController();
    const begin = performance.now();
    setStages({ seconds: {}, failed: false, lost: false });
    const handle = (event: ResultEvent): void => {
      const seconds = (performance.now() - begin) / 1000;
      setStages((past) => ({
        ...past,
        failed: past.failed || event === "failed",
        // Progress is counted twice, for the conversation and for its scores: the first time is shown.
        seconds: { [event]: seconds, ...past.seconds },
      }));
      if (event === "transcript" || event === "assessment")
        void queries.invalidateQueries({ queryKey: [event, conversationId] });
      if (event === "progress") void queries.invalidateQueries({ queryKey: ["progress"] });
    };
    void followResults(conversationId, handle, abort.signal).then((complete) => {
      if (!complete && !abort.signal.aborted) setStages((past) => ({ ...past, lost: true }));
    });
    return () => abort.abort();
  }, [conversationId, queries]);
  return stages;
}

function Strip({ stages }: { readonly stages: Stages }) {
  const { t, intl } = useI18n();
  const steps = [
    ["transcript", "result.stored"],
    ["assessment", "result.assessed"],
    ["progress", "result.counted"],
  ] as const;
  const time = (event: ResultEvent): string => {
    const seconds = stages.seconds[event];
    return seconds === undefined
      ? t("result.waiting")
      : intl.formatNumber(seconds, { style: "unit", unit: "second", maximumFractionDigits: 1 });
  };
  return (
    <ol className={styles.strip} aria-live="polite">
      {steps.map(([event, label]) => (
        <li key={event} data-done={stages.seconds[event] === undefined ? undefined : ""}>
          {t(label)} <span className={styles.time}>{time(event)}</span>
        </li>
      ))}
    </ol>
  );
}

export function Assessed({
  view,
  transcript,
}: {
  readonly view: Assessment;
  readonly transcript: TranscriptView | undefined;
}) {
  const { t, intl } = useI18n();
  const { assessment, measures } = view;
  const lang = view.feedbackLanguage;
  const [first, ...others] = assessment.corrections;
  return (
    <>
      <section className={`${ui.panel} ${styles.correction}`} aria-labelledby="correction">
        <h2 id="correction" className={styles.small}>
          {t(first === undefined ? "result.noCorrection" : "result.oneThing")}
        </h2>
        {first !== undefined && <Correction correction={first} lang={lang} transcript={transcript} large />}
        {others.length > 0 && (
          <details>
            <summary>{t("result.moreCorrections", { count: others.length })}</summary>
            <ul className={styles.others}>
              {others.map((correction) => (
                <li key={correction.quote + correction.better}>
                  <Correction correction={correction} lang={lang} transcript={transcript} />
                </li>
              ))}
            </ul>
          </details>
        )}
      </section>
      <div className={styles.columns}>
        <section className={ui.panel} aria-labelledby="scores">
          <h2 id="scores">
            {t("result.scores")} {view.simulated && <Simulated />}
          </h2>
          <p className={ui.hint}>{t("result.evidence")}</p>
          <p className={styles.overall}>
            {t("result.overall")} <strong>{assessment.overall}</strong>
          </p>
          {SKILLS.map((skill) => (
            <Score key={skill} name={t(`result.${skill}`)} score={assessment.skills[skill]} lang={lang} />
          ))}
          <Comparisons comparisons={assessment.comparisons ?? []} lang={lang} />
          <p>{t("result.cefr", { level: assessment.cefr })}</p>
          <p className={ui.hint}>
            {t("result.words", { words: measures.words, distinct: measures.distinctWords })}
            {/* Typed words have no duration. */}
            {measures.speechMs > 0 &&
              ` · ${t("result.wordsPerMinute", { count: intl.formatNumber(measures.wordsPerMinute, { maximumFractionDigits: 0 }) })}`}
          </p>
        </section>
        <section className={ui.panel}>
          <Objectives results={assessment.objectives ?? []} lang={lang} />
          <h2>{t("result.strengths")}</h2>
          <Sentences items={assessment.strengths} lang={lang} />
          <h2>{t("result.recommendations")}</h2>
          <Sentences items={assessment.recommendations} lang={lang} />
          <h2>{t("result.next")}</h2>
          <p lang={lang}>{assessment.nextObjective}</p>
          <div className={ui.row}>
            <Link to={`/talk/${view.imageId}`} className={buttonClass("primary")}>
              {t("result.again")}
            </Link>
            <Link to="/" className={buttonClass()}>
              {t("result.other")}
            </Link>
          </div>
        </section>
      </div>
    </>
  );
}

function Correction(props: {
  readonly correction: Schemas["Correction"];
  readonly lang: string;
  readonly transcript: TranscriptView | undefined;
  readonly large?: boolean;
}) {
  const { t } = useI18n();
  const { quote, better, why } = props.correction;
  const turn = props.transcript?.turns.find(
    (candidate) => candidate.speaker === "learner" && candidate.text.includes(quote),
  );
  const play = usePlayTurn(props.transcript?.conversationId ?? "");
  const [exercising, setExercising] = useState(false);
  return (
    <div className={styles.sentence}>
      <p className={props.large === true ? styles.big : ""} lang="en">
        <del>{quote}</del>
      </p>
      {/* From memory: the exercise hides the phrase. */}
      {!exercising && (
        <p className={props.large === true ? styles.big : ""} lang="en">
          <span className="hidden">{t("result.better")}: </span>
          <ins>{better}</ins>
        </p>
      )}
      <p lang={props.lang} className={styles.why}>
        {why}
      </p>
      <div className={ui.row}>
        {turn?.audio !== null && turn?.audio !== undefined && (
          <Button onClick={() => void play.start(turn)} disabled={play.loading}>
            <span aria-hidden="true">▶</span> {t("result.hear")}
          </Button>
        )}
        <Button aria-expanded={exercising} onClick={() => setExercising(!exercising)}>
          {t(exercising ? "exercise.show" : "exercise.begin")}
        </Button>
      </div>
      {exercising && <Exercise phrase={better} />}
      <ErrorMessage error={play.error} />
    </div>
  );
}

function Score({
  name,
  score,
  lang,
}: {
  readonly name: string;
  readonly score: Schemas["SkillScore"];
  readonly lang: string;
}) {
  return (
    <details className={styles.score}>
      <summary>
        <span>{name}</span>
        <meter min={0} max={100} value={score.score} aria-label={name} />
        <span className={styles.number}>{score.score}</span>
      </summary>
      <ul>
        {score.evidence.map((evidence) => (
          <li key={evidence.quote + evidence.comment}>
            <q lang="en">{evidence.quote}</q> <span lang={lang}>{evidence.comment}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

/** The picture's objectives with the words that show how far each is met. */
function Objectives({
  results,
  lang,
}: {
  readonly results: readonly Schemas["ObjectiveResult"][];
  readonly lang: string;
}) {
  const { t } = useI18n();
  if (results.length === 0) return null;
  return (
    <>
      <h2>{t("result.objectives")}</h2>
      <ul className={styles.sentences}>
        {results.map(({ objective, verdict, quote, comment }) => (
          <li key={objective}>
            <span lang="en">{objective}</span>: <strong>{t(`result.objective.${verdict}`)}</strong>{" "}
            {quote !== null && quote !== undefined && <q lang="en">{quote}</q>} <span lang={lang}>{comment}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

/** This conversation beside earlier ones, by stored values. */
function Comparisons({
  comparisons,
  lang,
}: {
  readonly comparisons: readonly Schemas["Comparison"][];
  readonly lang: string;
}) {
  const { t, intl } = useI18n();
  if (comparisons.length === 0) return null;
  const number = (value: number): string => intl.formatNumber(value, { maximumFractionDigits: 0 });
  return (
    <>
      <h3>{t("result.comparisons")}</h3>
      <ul className={styles.sentences}>
        {comparisons.map(({ conversationId, value, earlier, now, comment }) => (
          <li key={`${conversationId} ${value}`}>
            <Link to={`/result/${conversationId}`}>
              {t("result.comparison", { value: t(`compared.${value}`), earlier: number(earlier), now: number(now) })}
            </Link>{" "}
            <span lang={lang}>{comment}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

function Sentences({ items, lang }: { readonly items: readonly string[]; readonly lang: string }) {
  return (
    <ul lang={lang} className={styles.sentences}>
      {items.map((item) => (
        <li key={item}>{item}</li>
      ))}
    </ul>
  );
}

function Delete({ conversationId }: { readonly conversationId: string }) {
  const { t } = useI18n();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const remove = async (): Promise<void> => {
    try {
      await body(() => api.DELETE("/api/conversations/{id}", { params: { path: { id: conversationId } } })).catch(
        (failure: unknown) => {
          if (!(failure instanceof ApiError) || failure.status !== 404) throw failure;
        },
      );
      await forget(conversationId).catch(() => undefined);
      queries.removeQueries({ queryKey: ["transcript", conversationId] });
      queries.removeQueries({ queryKey: ["assessment", conversationId] });
      await queries.invalidateQueries({ queryKey: ["conversations"] });
      void navigate("/progress");
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <div>
      <Button kind="link" onClick={() => setAsking(true)}>
        {t("result.delete")}
      </Button>
      <Dialog open={asking} title={t("result.delete")} onClose={() => setAsking(false)}>
        <p>{t("result.deleteConfirm")}</p>
        <ErrorMessage error={error} />
        <div className={ui.row}>
          <Button kind="danger" onClick={() => void remove()}>
            {t("result.delete")}
          </Button>
          <Button onClick={() => setAsking(false)}>{t("app.cancel")}</Button>
        </div>
      </Dialog>
    </div>
  );
}

/** A document that does not exist yet, or never will, is `null`; the stream of results says which. */
async function orNull<T>(request: Promise<T>): Promise<T | null> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof ApiError && (error.code === "not_ready" || error.code === "not_assessed")) return null;
    throw error;
  }
}
