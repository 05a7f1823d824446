/** The question for the password, and for the code of the second factor, before a change of the account. */

import { useEffect, useRef, useState, type FormEvent } from "react";
import { ApiError, api, body, type Schemas } from "../../api/client";
import { askWith } from "../../api/step-up";
import { useI18n } from "../../i18n/i18n";
import { Button, Dialog, ErrorMessage, PasswordField, styles as ui } from "../../ui/ui";
import { CodeField } from "./sign-in";

type Challenge = Extract<Schemas["StepUpResult"], { status: "challenge" }>;

export function StepUpDialog() {
  const { t } = useI18n();
  const answer = useRef<((proved: boolean) => void) | null>(null);
  const [open, setOpen] = useState(false);
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [challenge, setChallenge] = useState<Challenge | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(
    () =>
      askWith(
        () =>
          new Promise<boolean>((resolve) => {
            answer.current = resolve;
            setOpen(true);
          }),
      ),
    [],
  );
  const finish = (proved: boolean): void => {
    answer.current?.(proved);
    answer.current = null;
    setOpen(false);
    setPassword("");
    setCode("");
    setChallenge(null);
    setError(null);
  };
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setError(null);
    try {
      const proof = challenge === null ? { password } : { session: challenge.session, code };
      const result = await body(() => api.POST("/auth/step-up", { body: proof }));
      if (result.status === "challenge") setChallenge(result);
      else finish(true);
    } catch (failure) {
      if (failure instanceof ApiError && failure.code === "challenge_ended") setChallenge(null);
      setError(failure);
    }
  };
  return (
    <Dialog open={open} title={t("stepUp.title")} onClose={() => finish(false)}>
      <form className={ui.form} onSubmit={(event) => void submit(event)}>
        {challenge === null ? (
          <>
            <p>{t("stepUp.lead")}</p>
            <PasswordField
              label={t("stepUp.password")}
              autoComplete="current-password"
              required
              value={password}
              onChange={(e) => setPassword(e.target.value)}
            />
          </>
        ) : (
          <>
            <p>{t(`challenge.${challenge.challenge}`, { destination: challenge.destination ?? "" })}</p>
            <CodeField value={code} onChange={setCode} />
          </>
        )}
        <ErrorMessage error={error} />
        <div className={ui.row}>
          <Button type="submit" kind="primary">
            {t("challenge.submit")}
          </Button>
          <Button onClick={() => finish(false)}>{t("app.cancel")}</Button>
        </div>
      </form>
    </Dialog>
  );
}
