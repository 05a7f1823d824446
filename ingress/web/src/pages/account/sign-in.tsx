/** The pages of a visitor without a session: sign in with every challenge, sign up, confirm, reset. */

import { useState, type FormEvent, type ReactNode } from "react";
import { Link, useLocation, useNavigate } from "react-router";
import { ApiError, api, body, type Schemas } from "../../api/client";
import { loadMe } from "../../api/me";
import { signedIn } from "../../api/session";
import { useI18n, type Language } from "../../i18n/i18n";
import { Button, ErrorMessage, Field, PageTitle, PasswordField, styles } from "../../ui/ui";

type SignInResult = Schemas["SignInResult"];
type Challenge = Extract<SignInResult, { status: "challenge" }>;

/** The e-mail address goes from page to page, so that nobody types it twice. */
function useEmail(): [string, (email: string) => void] {
  const state = useLocation().state as { email?: string } | null;
  return useState(state?.email ?? "");
}

/** Runs the request of a form once at a time and keeps its error. */
function useSubmit(action: () => Promise<void>) {
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event?: FormEvent): Promise<void> => {
    event?.preventDefault();
    setBusy(true);
    setError(null);
    await action().catch(setError);
    setBusy(false);
  };
  return { submit, busy, error };
}

export function SignIn() {
  const { t } = useI18n();
  const [email, setEmail] = useEmail();
  const [password, setPassword] = useState("");
  const [challenge, setChallenge] = useState<Challenge | null>(null);
  const message = (useLocation().state as { message?: string } | null)?.message;
  const finish = (result: SignInResult): void => {
    if ("challenge" in result) setChallenge(result);
    else signedIn(result);
  };
  const { submit, busy, error } = useSubmit(async () =>
    finish(await body(() => api.POST("/auth/sign-in", { body: { email: email.trim(), password } }))),
  );
  if (challenge !== null)
    return <AnswerChallenge challenge={challenge} finish={finish} restart={() => setChallenge(null)} />;
  return (
    <FormPage title={t("signIn.title")} lead={t("signIn.lead")} submit={submit}>
      <p role="status">{message}</p>
      <Field
        label={t("field.email")}
        type="email"
        autoComplete="username"
        required
        value={email}
        onChange={(e) => setEmail(e.target.value)}
      />
      <PasswordField
        label={t("field.password")}
        autoComplete="current-password"
        required
        value={password}
        onChange={(e) => setPassword(e.target.value)}
      />
      <ErrorMessage error={error} />
      <Button type="submit" kind="primary" disabled={busy}>
        {t("signIn.submit")}
      </Button>
      <Link to="/forgot" state={{ email }}>
        {t("signIn.forgot")}
      </Link>
      <Link to="/sign-up" state={{ email }}>
        {t("signIn.toSignUp")}
      </Link>
    </FormPage>
  );
}

function AnswerChallenge(props: {
  readonly challenge: Challenge;
  readonly finish: (result: SignInResult) => void;
  readonly restart: () => void;
}) {
  const { t } = useI18n();
  const [answer, setAnswer] = useState("");
  const { challenge, session, destination } = props.challenge;
  const { submit, busy, error } = useSubmit(async () => {
    try {
      const response = await body(() =>
        api.POST("/auth/challenge", { body: { session, challenge, answer: answer.trim() } }),
      );
      setAnswer("");
      props.finish(response);
    } catch (failure) {
      if (failure instanceof ApiError && failure.code === "challenge_ended") props.restart();
      throw failure;
    }
  });
  return (
    <FormPage
      title={t("challenge.title")}
      lead={t(`challenge.${challenge}`, { destination: destination ?? "" })}
      submit={submit}
    >
      {challenge === "newPassword" ? (
        <PasswordField
          label={t("field.newPassword")}
          hint={t("field.passwordHint")}
          autoComplete="new-password"
          required
          value={answer}
          onChange={(e) => setAnswer(e.target.value)}
        />
      ) : (
        <CodeField value={answer} onChange={setAnswer} />
      )}
      <ErrorMessage error={error} />
      <Button type="submit" kind="primary" disabled={busy}>
        {t("challenge.submit")}
      </Button>
      <Button kind="link" onClick={props.restart}>
        {t("app.back")}
      </Button>
    </FormPage>
  );
}

export function SignUp() {
  const { t } = useI18n();
  const navigate = useNavigate();
  const [email, setEmail] = useEmail();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const { submit, busy, error } = useSubmit(async () => {
    await body(() => api.POST("/auth/sign-up", { body: { email: email.trim(), name: name.trim(), password } }));
    void navigate("/confirm", { state: { email: email.trim(), password } });
  });
  return (
    <FormPage title={t("signUp.title")} submit={submit}>
      <Field
        label={t("field.name")}
        autoComplete="name"
        required
        maxLength={100}
        value={name}
        onChange={(e) => setName(e.target.value)}
      />
      <Field
        label={t("field.email")}
        type="email"
        autoComplete="username"
        required
        value={email}
        onChange={(e) => setEmail(e.target.value)}
      />
      <PasswordField
        label={t("field.password")}
        hint={t("field.passwordHint")}
        autoComplete="new-password"
        required
        value={password}
        onChange={(e) => setPassword(e.target.value)}
      />
      <ErrorMessage error={error} />
      <Button type="submit" kind="primary" disabled={busy}>
        {t("signUp.submit")}
      </Button>
      <Link to="/sign-in" state={{ email }}>
        {t("signUp.toSignIn")}
      </Link>
    </FormPage>
  );
}

/** A new account gets the time zone of this device and the language of the page. They can be changed at any time. */
async function introduce(feedbackLanguage: Language): Promise<void> {
  const { etag } = await loadMe();
  const change = { feedbackLanguage, timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone };
  await body(() => api.PATCH("/api/me", { params: { header: { "If-Match": etag } }, body: change }));
}

export function Confirm() {
  const { t, language } = useI18n();
  const navigate = useNavigate();
  const [email, setEmail] = useEmail();
  const password = (useLocation().state as { password?: string } | null)?.password;
  const [code, setCode] = useState("");
  const [resent, setResent] = useState(false);
  const { submit, busy, error } = useSubmit(async () => {
    await body(() => api.POST("/auth/confirm", { body: { email: email.trim(), code } }));
    const result =
      password === undefined
        ? null
        : await body(() => api.POST("/auth/sign-in", { body: { email: email.trim(), password } })).catch(() => null);
    if (result === null || "challenge" in result) {
      void navigate("/sign-in", { state: { email } });
      return;
    }
    signedIn(result);
    await introduce(language).catch(() => undefined);
  });
  const resend = useSubmit(async () => {
    await body(() => api.POST("/auth/resend", { body: { email: email.trim() } }));
    setResent(true);
  });
  return (
    <FormPage title={t("confirm.title")} lead={t("confirm.lead", { email })} submit={submit}>
      {password === undefined && (
        <Field
          label={t("field.email")}
          type="email"
          autoComplete="username"
          required
          value={email}
          onChange={(e) => setEmail(e.target.value)}
        />
      )}
      <CodeField value={code} onChange={setCode} />
      <ErrorMessage error={error ?? resend.error} />
      <Button type="submit" kind="primary" disabled={busy}>
        {t("confirm.submit")}
      </Button>
      <Button kind="link" disabled={resend.busy} onClick={() => void resend.submit()}>
        {t("confirm.resend")}
      </Button>
      <p role="status">{resent && t("confirm.resent")}</p>
    </FormPage>
  );
}

export function Forgot() {
  const { t } = useI18n();
  const navigate = useNavigate();
  const [email, setEmail] = useEmail();
  const [code, setCode] = useState("");
  const [password, setPassword] = useState("");
  const [sent, setSent] = useState(false);
  const { submit, busy, error } = useSubmit(async () => {
    if (!sent) {
      await body(() => api.POST("/auth/forgot", { body: { email: email.trim() } }));
      setSent(true);
      return;
    }
    await body(() => api.POST("/auth/reset", { body: { email: email.trim(), code, password } }));
    void navigate("/sign-in", { state: { email, message: t("reset.done") } });
  });
  return (
    <FormPage title={t("forgot.title")} lead={sent ? t("reset.lead", { email }) : t("forgot.lead")} submit={submit}>
      {!sent && (
        <Field
          label={t("field.email")}
          type="email"
          autoComplete="username"
          required
          value={email}
          onChange={(e) => setEmail(e.target.value)}
        />
      )}
      {sent && <CodeField value={code} onChange={setCode} />}
      {sent && (
        <PasswordField
          label={t("field.newPassword")}
          hint={t("field.passwordHint")}
          autoComplete="new-password"
          required
          value={password}
          onChange={(e) => setPassword(e.target.value)}
        />
      )}
      <ErrorMessage error={error} />
      <Button type="submit" kind="primary" disabled={busy}>
        {sent ? t("reset.submit") : t("forgot.submit")}
      </Button>
      <Link to="/sign-in" state={{ email }}>
        {t("app.back")}
      </Link>
    </FormPage>
  );
}

/** One field for the whole code, so that it can be pasted; the service removes spaces. */
export function CodeField({ value, onChange }: { readonly value: string; readonly onChange: (code: string) => void }) {
  const { t } = useI18n();
  return (
    <Field
      label={t("field.code")}
      inputMode="numeric"
      autoComplete="one-time-code"
      required
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

function FormPage(props: {
  readonly title: string;
  readonly lead?: string;
  readonly submit: (event: FormEvent) => Promise<void>;
  readonly children: ReactNode;
}) {
  return (
    <form className={styles.form} onSubmit={(event) => void props.submit(event)}>
      <PageTitle>{props.title}</PageTitle>
      {props.lead !== undefined && <p>{props.lead}</p>}
      {props.children}
    </form>
  );
}
