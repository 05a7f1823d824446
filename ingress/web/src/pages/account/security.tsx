/** The password and the authenticator. */

import { useState, type FormEvent } from "react";
import { api, body } from "../../api/client";
import { useI18n } from "../../i18n/i18n";
import { Button, ErrorMessage, PasswordField, styles as ui } from "../../ui/ui";
import { CodeField, NewPasswordField } from "./sign-in";

export function Password() {
  const { t } = useI18n();
  const [oldPassword, setOld] = useState("");
  const [newPassword, setNew] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [done, setDone] = useState(false);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setError(null);
    try {
      await body(() => api.POST("/auth/password", { body: { oldPassword, newPassword } }));
      setOld("");
      setNew("");
      setDone(true);
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <details>
      <summary>{t("account.changePassword")}</summary>
      <form className={ui.form} onSubmit={(event) => void submit(event)}>
        <PasswordField
          label={t("field.oldPassword")}
          autoComplete="current-password"
          required
          value={oldPassword}
          onChange={(e) => setOld(e.target.value)}
        />
        <NewPasswordField value={newPassword} onChange={setNew} />
        <ErrorMessage error={error} />
        <Button type="submit" kind="primary">
          {t("account.changePassword")}
        </Button>
        <p role="status">{done && t("account.passwordChanged")}</p>
      </form>
    </details>
  );
}

export function Totp() {
  const { t } = useI18n();
  const [secret, setSecret] = useState<string | null>(null);
  const [code, setCode] = useState("");
  const [password, setPassword] = useState("");
  const [status, setStatus] = useState("");
  const [error, setError] = useState<unknown>(null);
  const run = async (action: () => Promise<void>): Promise<void> => {
    setError(null);
    setStatus("");
    await action().catch(setError);
  };
  const begin = async (): Promise<void> => setSecret((await body(() => api.POST("/auth/totp"))).secret);
  const verify = async (): Promise<void> => {
    await body(() => api.POST("/auth/totp/verify", { body: { code } }));
    setSecret(null);
    setCode("");
    setStatus(t("account.totpOn"));
  };
  const turnOff = async (): Promise<void> => {
    await body(() => api.POST("/auth/mfa/off", { body: { password } }));
    setPassword("");
    setStatus(t("account.totpIsOff"));
  };
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(secret ?? "");
    setStatus(t("account.totpCopied"));
  };
  const submit = (action: () => Promise<void>) => (event: FormEvent) => {
    event.preventDefault();
    void run(action);
  };
  return (
    <details>
      <summary>{t("account.totp")}</summary>
      <div className={ui.form}>
        {secret === null && <Button onClick={() => void run(begin)}>{t("account.totpStart")}</Button>}
        {secret !== null && (
          <form className={ui.form} onSubmit={submit(verify)}>
            <p>{t("account.totpLead")}</p>
            <p>
              {t("account.totpSecret")}: <code>{secret}</code>
            </p>
            <Button onClick={() => void run(copy)}>{t("account.totpCopy")}</Button>
            <CodeField value={code} onChange={setCode} />
            <Button type="submit" kind="primary">
              {t("challenge.submit")}
            </Button>
          </form>
        )}
        <form className={ui.form} onSubmit={submit(turnOff)}>
          <PasswordField
            label={t("field.password")}
            autoComplete="current-password"
            required
            value={password}
            onChange={(e) => setPassword(e.target.value)}
          />
          <Button type="submit">{t("account.totpOff")}</Button>
        </form>
        <ErrorMessage error={error} />
        <p role="status">{status}</p>
      </div>
    </details>
  );
}
