/** The pages of a visitor without a session: sign in with every challenge, sign up, confirm, reset. */

import { useState, type FormEvent, type ReactNode } from "react";
import { Link, useLocation, useNavigate } from "react-router";
import { ApiError, api, body, type Schemas } from "../../api/client";
import { useConfig } from "../../api/config";
import { signedIn } from "../../api/session";
import { useI18n } from "../../i18n/i18n";
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
  const recover = async (recoveryCode: string): Promise<void> =>
    finish(await body(() => api.POST("/auth/sign-in", { body: { email: email.trim(), password, recoveryCode } })));
  if (challenge !== null)
    return (
      <AnswerChallenge challenge={challenge} finish={finish} recover={recover} restart={() => setChallenge(null)} />
    );
  return (
    <FormPage title={t("signIn.title")} lead={t("signIn.lead")} submit={submit}>
      <p role="status">{message}</p>
      <EmailField value={email} onChange={setEmail} />
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
  readonly recover: (code: string) => Promise<void>;
  readonly restart: () => void;
}) {
  const { t } = useI18n();
  const [answer, setAnswer] = useState("");
  const [isRecovery, setRecovery] = useState(false);
  const { challenge, session, destination } = props.challenge;
  const { submit, busy, error } = useSubmit(async () => {
    if (isRecovery) return props.recover(answer);
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
      lead={isRecovery ? t("challenge.recovery") : t(`challenge.${challenge}`, { destination: destination ?? "" })}
      submit={submit}
    >
      {challenge === "newPassword" && <NewPasswordField value={answer} onChange={setAnswer} />}
      {challenge !== "newPassword" && !isRecovery && <CodeField value={answer} onChange={setAnswer} />}
      {isRecovery && (
        <Field
          label={t("field.recoveryCode")}
          autoComplete="off"
          autoCapitalize="characters"
          spellCheck={false}
          required
          maxLength={64}
          value={answer}
          onChange={(event) => setAnswer(event.target.value)}
        />
      )}
      <ErrorMessage error={error} />
      <Button type="submit" kind="primary" disabled={busy}>
        {t("challenge.submit")}
      </Button>
      {challenge !== "newPassword" && !isRecovery && (
        <Button
          kind="link"
          onClick={() => {
            setAnswer("");
            setRecovery(true);
          }}
        >
          {t("challenge.toRecovery")}
        </Button>
      )}
      <Button kind="link" onClick={props.restart}>
        {t("app.back")}
      </Button>
    </FormPage>
  );
}

/** What a sign-up carries to the page that confirms it: the password is set only with the mailed code. */
interface NewAccount {
  readonly email: string;
  readonly name: string;
  readonly password: string;
}

export function SignUp() {
  const { t } = useI18n();
  const navigate = useNavigate();
  const [email, setEmail] = useEmail();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const { submit, busy, error } = useSubmit(async () => {
    const account: NewAccount = { email: email.trim(), name: name.trim(), password };
    await body(() => api.POST("/auth/sign-up", { body: { email: account.email } }));
    void navigate("/confirm", { state: account });
  });
  return (
    <FormPage title={t("signUp.title")} submit={submit}>
      <NameField value={name} onChange={setName} />
      <EmailField value={email} onChange={setEmail} />
      <NewPasswordField value={password} onChange={setPassword} isFirst />
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

export function Confirm() {
  const { t, language } = useI18n();
  const navigate = useNavigate();
  const given = useLocation().state as Partial<NewAccount> | null;
  const [email, setEmail] = useEmail();
  const [name, setName] = useState(given?.name ?? "");
  const [password, setPassword] = useState(given?.password ?? "");
  const [code, setCode] = useState("");
  const [resent, setResent] = useState(false);
  const { submit, busy, error } = useSubmit(async () => {
    const account = { email: email.trim(), password };
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    const profile = { name: name.trim(), timeZone, feedbackLanguage: language, pageLanguage: language };
    await body(() => api.POST("/auth/confirm", { body: { ...account, ...profile, code } }));
    const result = await body(() => api.POST("/auth/sign-in", { body: account })).catch(() => null);
    if (result === null || "challenge" in result) void navigate("/sign-in", { state: { email } });
    else signedIn(result);
  });
  const resend = useSubmit(async () => {
    await body(() => api.POST("/auth/resend", { body: { email: email.trim() } }));
    setResent(true);
  });
  // A field that was wrong can be changed here: nothing is stored before the code is accepted.
  const rejected = error instanceof ApiError ? (error.problem.field ?? error.code) : "";
  return (
    <FormPage title={t("confirm.title")} lead={t("confirm.lead", { email })} submit={submit}>
      {given?.email === undefined && <EmailField value={email} onChange={setEmail} />}
      {(given?.name === undefined || rejected === "name") && <NameField value={name} onChange={setName} />}
      {(given?.password === undefined || rejected === "password_weak") && (
        <NewPasswordField value={password} onChange={setPassword} isFirst />
      )}
      <CodeField value={code} onChange={setCode} />
      <LocalCode />
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
      {!sent && <EmailField value={email} onChange={setEmail} />}
      {sent && <CodeField value={code} onChange={setCode} />}
      {sent && <LocalCode />}
      {sent && <NewPasswordField value={password} onChange={setPassword} />}
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

interface TextField {
  readonly value: string;
  readonly onChange: (text: string) => void;
}

function EmailField({ value, onChange }: TextField) {
  const { t } = useI18n();
  return (
    <Field
      label={t("field.email")}
      type="email"
      autoComplete="username"
      required
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

function NameField({ value, onChange }: TextField) {
  const { t } = useI18n();
  return (
    <Field
      label={t("field.name")}
      autoComplete="name"
      required
      maxLength={useConfig()?.limits.nameCharsMax}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

export function NewPasswordField({ value, onChange, isFirst }: TextField & { readonly isFirst?: boolean }) {
  const { t } = useI18n();
  return (
    <PasswordField
      label={t(isFirst === true ? "field.password" : "field.newPassword")}
      hint={t("field.passwordHint")}
      autoComplete="new-password"
      required
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

/** One field for the whole code, so that it can be pasted; the service removes spaces. */
export function CodeField({ value, onChange }: TextField) {
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

/** A service on this computer sends no e-mail, and says its code instead. */
function LocalCode() {
  const { t } = useI18n();
  const code = useConfig()?.confirmationCode;
  return code === undefined || code === null ? null : <p className={styles.hint}>{t("confirm.local", { code })}</p>;
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
