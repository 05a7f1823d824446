/** Profile, sign-in and the learner's data. */

import { useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { api, body, type Schemas } from "../../api/client";
import { useConfig } from "../../api/config";
import { useMe } from "../../api/me";
import { signedOut } from "../../api/session";
import { Install } from "../../offline/install";
import { useI18n, type Language } from "../../i18n/i18n";
import { Button, Dialog, ErrorMessage, Field, Loading, PageTitle, Select, styles as ui } from "../../ui/ui";
import { EmailAddress, Password, SecondFactor } from "./security";
import { Sessions } from "./sessions";
import { StepUpDialog } from "./step-up";

type Me = Schemas["Me"];
/** The service requires these words. */
const DELETE_PHRASE = "delete my account";

export function Account() {
  const { t } = useI18n();
  const me = useMe();
  return (
    <>
      <PageTitle>{t("account.title")}</PageTitle>
      <ErrorMessage error={me.error} retry={() => void me.refetch()} />
      {me.isPending && <Loading />}
      {me.data !== undefined && <Profile key={me.data.etag} me={me.data.profile} etag={me.data.etag} />}
      <section className={ui.form} aria-labelledby="security">
        <h2 id="security">{t("account.security")}</h2>
        <Password />
        {me.data !== undefined && <EmailAddress me={me.data.profile} />}
        {me.data !== undefined && <SecondFactor me={me.data.profile} />}
      </section>
      <Sessions />
      <Data />
      <Install />
      <StepUpDialog />
    </>
  );
}

function Profile({ me, etag }: { readonly me: Me; readonly etag: string }) {
  const { t, language, setLanguage } = useI18n();
  const queries = useQueryClient();
  const config = useConfig();
  const [profile, setProfile] = useState(me);
  const [interests, setInterests] = useState(me.interests.join(", "));
  const [error, setError] = useState<unknown>(null);
  const [saved, setSaved] = useState(false);
  const save = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setError(null);
    const { name, level, timeZone, feedbackLanguage } = profile;
    const list = interests
      .split(",")
      .map((interest) => interest.trim())
      .filter((interest) => interest !== "");
    const change = { name, level, timeZone, feedbackLanguage, pageLanguage: language, interests: list };
    try {
      await body(() => api.PATCH("/api/me", { params: { header: { "If-Match": etag } }, body: change }));
      setSaved(true);
      await queries.invalidateQueries({ queryKey: ["me"] });
    } catch (failure) {
      setError(failure);
    }
  };
  const zones = [...new Set([profile.timeZone, ...Intl.supportedValuesOf("timeZone")])];
  return (
    <form className={ui.form} onSubmit={(event) => void save(event)} aria-labelledby="profile">
      <h2 id="profile">{t("account.profile")}</h2>
      <Field
        label={t("field.name")}
        autoComplete="name"
        required
        maxLength={config?.limits.nameCharsMax}
        value={profile.name}
        onChange={(e) => setProfile({ ...profile, name: e.target.value })}
      />
      <Select
        label={t("field.level")}
        value={profile.level}
        options={(config?.levels ?? [profile.level]).map((value) => ({ value, label: t(`level.${value}`) }))}
        onChange={(level) => setProfile({ ...profile, level })}
      />
      <Select
        label={t("field.feedbackLanguage")}
        value={profile.feedbackLanguage}
        options={(["en", "ko"] as const).map((value) => ({ value, label: t(`language.${value}`) }))}
        onChange={(feedbackLanguage) => setProfile({ ...profile, feedbackLanguage })}
      />
      <Select
        label={t("field.timeZone")}
        value={profile.timeZone}
        options={zones.map((value) => ({ value, label: value.replaceAll("_", " ") }))}
        onChange={(timeZone) => setProfile({ ...profile, timeZone })}
      />
      <Field
        label={t("field.interests")}
        hint={t("field.interestsHint")}
        value={interests}
        onChange={(e) => setInterests(e.target.value)}
      />
      <Select<Language>
        label={t("field.pageLanguage")}
        value={language}
        options={[
          { value: "en", label: "English" },
          { value: "ko", label: "한국어" },
        ]}
        onChange={setLanguage}
      />
      <ErrorMessage error={error} />
      <Button type="submit" kind="primary">
        {t("app.save")}
      </Button>
      <p role="status">{saved && t("app.saved")}</p>
    </form>
  );
}

function Data() {
  const { t } = useI18n();
  const [asking, setAsking] = useState(false);
  const [phrase, setPhrase] = useState("");
  const [error, setError] = useState<unknown>(null);
  const download = async (): Promise<void> => {
    try {
      const data = await body(() => api.GET("/api/me/export"));
      const url = URL.createObjectURL(new Blob([JSON.stringify(data, null, 2)], { type: "application/json" }));
      Object.assign(document.createElement("a"), { href: url, download: "nova-english.json" }).click();
      URL.revokeObjectURL(url);
    } catch (failure) {
      setError(failure);
    }
  };
  const remove = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    try {
      await body(() => api.DELETE("/api/me", { body: { confirm: phrase } }));
      signedOut();
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <section className={ui.form} aria-labelledby="data">
      <h2 id="data">{t("account.data")}</h2>
      <ErrorMessage error={error} />
      <div className={ui.row}>
        <Button onClick={() => void download()}>{t("account.export")}</Button>
        <Button kind="danger" onClick={() => setAsking(true)}>
          {t("account.delete")}
        </Button>
      </div>
      <Dialog open={asking} title={t("account.delete")} onClose={() => setAsking(false)}>
        <form className={ui.form} onSubmit={(event) => void remove(event)}>
          <p>{t("account.deleteLead", { phrase: DELETE_PHRASE })}</p>
          <Field
            label={t("account.deletePhrase")}
            autoComplete="off"
            lang="en"
            value={phrase}
            onChange={(e) => setPhrase(e.target.value)}
          />
          <div className={ui.row}>
            <Button type="submit" kind="danger" disabled={phrase !== DELETE_PHRASE}>
              {t("account.delete")}
            </Button>
            <Button onClick={() => setAsking(false)}>{t("app.cancel")}</Button>
          </div>
        </form>
      </Dialog>
    </section>
  );
}
