/** The password, the e-mail address and the second factor. */

import { useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent, type ReactNode } from "react";
import { api, body, type Schemas } from "../../api/client";
import { useI18n } from "../../i18n/i18n";
import { Button, ErrorMessage, Field, styles as ui } from "../../ui/ui";
import { QrCode } from "../../ui/qr-code";
import { CodeField, NewPasswordField } from "./sign-in";

type Me = Schemas["Me"];

/** Runs actions, keeps the error of the last one and the text that it left, and reads the account again. */
function useActions() {
  const queries = useQueryClient();
  const [status, setStatus] = useState("");
  const [error, setError] = useState<unknown>(null);
  const run = async (action: () => Promise<string>): Promise<void> => {
    setError(null);
    setStatus("");
    try {
      setStatus(await action());
      await queries.invalidateQueries({ queryKey: ["me"] });
    } catch (failure) {
      setError(failure);
    }
  };
  const submit = (action: () => Promise<string>) => (event: FormEvent) => {
    event.preventDefault();
    void run(action);
  };
  const outcome = (
    <>
      <ErrorMessage error={error} />
      <p role="status">{status}</p>
    </>
  );
  return { run, submit, outcome };
}

function Section({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <details>
      <summary>{title}</summary>
      <div className={ui.form}>{children}</div>
    </details>
  );
}

export function Password() {
  const { t } = useI18n();
  const [newPassword, setNew] = useState("");
  const { submit, outcome } = useActions();
  const change = async (): Promise<string> => {
    await body(() => api.POST("/auth/password", { body: { newPassword } }));
    setNew("");
    return t("account.passwordChanged");
  };
  return (
    <Section title={t("account.changePassword")}>
      <form className={ui.form} onSubmit={submit(change)}>
        <NewPasswordField value={newPassword} onChange={setNew} />
        <Button type="submit" kind="primary">
          {t("account.changePassword")}
        </Button>
      </form>
      {outcome}
    </Section>
  );
}

export function EmailAddress({ me }: { readonly me: Me }) {
  const { t } = useI18n();
  const [email, setEmail] = useState("");
  const [sent, setSent] = useState(false);
  const [code, setCode] = useState("");
  const { submit, outcome } = useActions();
  const finish = (): string => {
    setEmail("");
    setCode("");
    setSent(false);
    return t("account.emailChanged");
  };
  const request = async (): Promise<string> => {
    const { codeSent } = await body(() => api.POST("/auth/email", { body: { email: email.trim() } }));
    if (!codeSent) return finish();
    setSent(true);
    return t("account.emailSent", { email });
  };
  const verify = async (): Promise<string> => {
    await body(() => api.POST("/auth/email/verify", { body: { code } }));
    return finish();
  };
  return (
    <Section title={t("account.changeEmail")}>
      <p>{t("account.email", { email: me.email })}</p>
      {sent ? (
        <form className={ui.form} onSubmit={submit(verify)}>
          <CodeField value={code} onChange={setCode} />
          <Button type="submit" kind="primary">
            {t("account.changeEmail")}
          </Button>
          <Button kind="link" onClick={() => setSent(false)}>
            {t("app.back")}
          </Button>
        </form>
      ) : (
        <form className={ui.form} onSubmit={submit(request)}>
          <Field
            label={t("account.newEmail")}
            type="email"
            autoComplete="email"
            required
            value={email}
            onChange={(e) => setEmail(e.target.value)}
          />
          <Button type="submit">{t("account.sendCode")}</Button>
        </form>
      )}
      {outcome}
    </Section>
  );
}

export function SecondFactor({ me }: { readonly me: Me }) {
  const { t } = useI18n();
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  const { run, outcome } = useActions();
  const turnOff = async (): Promise<string> => {
    await body(() => api.POST("/auth/mfa/off"));
    setCodes(null);
    return t("account.factorIsOff");
  };
  const renew = async (): Promise<string> => {
    setCodes((await body(() => api.POST("/auth/recovery-codes"))).recoveryCodes);
    return t("account.codesReplaced");
  };
  return (
    <Section title={t("account.factor")}>
      <p>{t(`account.factor.${me.secondFactor}`)}</p>
      {codes !== null && <RecoveryCodes codes={codes} close={() => setCodes(null)} />}
      <Totp show={setCodes} />
      <TextMessages show={setCodes} />
      {me.secondFactor !== "none" && (
        <>
          <p>{t("account.codesLeft", { count: me.recoveryCodes })}</p>
          <div className={ui.row}>
            <Button onClick={() => void run(renew)}>{t("account.codesRenew")}</Button>
            <Button onClick={() => void run(turnOff)}>{t("account.factorOff")}</Button>
          </div>
        </>
      )}
      {outcome}
    </Section>
  );
}

interface FactorProps {
  /** Shows the recovery codes of a factor that was turned on. */
  readonly show: (codes: readonly string[]) => void;
}

function Totp({ show }: FactorProps) {
  const { t } = useI18n();
  const [totp, setTotp] = useState<Schemas["TotpSecret"] | null>(null);
  const [code, setCode] = useState("");
  const { run, submit, outcome } = useActions();
  const begin = async (): Promise<string> => {
    setTotp(await body(() => api.POST("/auth/totp")));
    return "";
  };
  const verify = async (): Promise<string> => {
    show((await body(() => api.POST("/auth/totp/verify", { body: { code } }))).recoveryCodes);
    setTotp(null);
    setCode("");
    return t("account.totpOn");
  };
  const copy = async (): Promise<string> => {
    await navigator.clipboard.writeText(totp?.secret ?? "");
    return t("account.copied");
  };
  return (
    <>
      {totp === null && <Button onClick={() => void run(begin)}>{t("account.totpStart")}</Button>}
      {totp !== null && (
        <form className={ui.form} onSubmit={submit(verify)}>
          <p>{t("account.totpLead")}</p>
          <QrCode text={totp.uri} label={t("account.totpQr")} />
          <p>
            {t("account.totpSecret")}: <code>{totp.secret}</code>
          </p>
          <Button onClick={() => void run(copy)}>{t("account.totpCopy")}</Button>
          <CodeField value={code} onChange={setCode} />
          <Button type="submit" kind="primary">
            {t("challenge.submit")}
          </Button>
        </form>
      )}
      {outcome}
    </>
  );
}

function TextMessages({ show }: FactorProps) {
  const { t } = useI18n();
  const [asking, setAsking] = useState(false);
  const [phone, setPhone] = useState("");
  const [sent, setSent] = useState(false);
  const [code, setCode] = useState("");
  const { submit, outcome } = useActions();
  const request = async (): Promise<string> => {
    await body(() => api.POST("/auth/phone", { body: { phone } }));
    setSent(true);
    return t("account.smsSent", { phone });
  };
  const verify = async (): Promise<string> => {
    show((await body(() => api.POST("/auth/phone/verify", { body: { code } }))).recoveryCodes);
    setAsking(false);
    setSent(false);
    setCode("");
    return t("account.smsOn");
  };
  return (
    <>
      {!asking && <Button onClick={() => setAsking(true)}>{t("account.smsStart")}</Button>}
      {asking && !sent && (
        <form className={ui.form} onSubmit={submit(request)}>
          <Field
            label={t("account.phone")}
            hint={t("account.phoneHint")}
            type="tel"
            autoComplete="tel"
            required
            value={phone}
            onChange={(e) => setPhone(e.target.value)}
          />
          <Button type="submit">{t("account.sendCode")}</Button>
        </form>
      )}
      {asking && sent && (
        <form className={ui.form} onSubmit={submit(verify)}>
          <CodeField value={code} onChange={setCode} />
          <Button type="submit" kind="primary">
            {t("challenge.submit")}
          </Button>
        </form>
      )}
      {outcome}
    </>
  );
}

/** The codes, which are never shown again. */
function RecoveryCodes({ codes, close }: { readonly codes: readonly string[]; readonly close: () => void }) {
  const { t } = useI18n();
  const { run, outcome } = useActions();
  const text = `${codes.join("\n")}\n`;
  const copy = async (): Promise<string> => {
    await navigator.clipboard.writeText(text);
    return t("account.copied");
  };
  const download = (): void => {
    const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    Object.assign(document.createElement("a"), { href: url, download: "nova-english-recovery-codes.txt" }).click();
    URL.revokeObjectURL(url);
  };
  return (
    <section className={ui.form} aria-labelledby="recovery-codes">
      <h3 id="recovery-codes">{t("account.codes")}</h3>
      <p>{t("account.codesLead")}</p>
      <ul>
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      <div className={ui.row}>
        <Button onClick={() => void run(copy)}>{t("account.codesCopy")}</Button>
        <Button onClick={download}>{t("account.codesDownload")}</Button>
        <Button kind="primary" onClick={close}>
          {t("account.codesKept")}
        </Button>
      </div>
      {outcome}
    </section>
  );
}
