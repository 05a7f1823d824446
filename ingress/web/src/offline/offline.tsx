/** Without a connection: what this browser has kept, and the way back. Nothing on this page needs the service. */

import { useEffect, useState } from "react";
import { renew } from "../api/session";
import { useI18n } from "../i18n/i18n";
import { Assessed } from "../pages/result/result";
import { Transcript } from "../pages/result/transcript";
import { Button, PageTitle, styles as ui } from "../ui/ui";
import { keptResults, type KeptResult } from "./kept";

export function Offline() {
  const { t } = useI18n();
  const [kept, setKept] = useState<readonly KeptResult[] | null>(null);
  const [open, setOpen] = useState<KeptResult | null>(null);
  useEffect(() => {
    // A browser that refuses storage has kept nothing.
    keptResults().then(setKept, () => setKept([]));
  }, []);
  useEffect(() => {
    const back = (): void => void renew();
    window.addEventListener("online", back);
    return () => window.removeEventListener("online", back);
  }, []);
  if (open !== null) return <Kept result={open} close={() => setOpen(null)} />;
  return (
    <>
      <PageTitle>{t("offline.title")}</PageTitle>
      <p>{t("offline.lead")}</p>
      <Button kind="primary" onClick={() => void renew()}>
        {t("app.retry")}
      </Button>
      {kept !== null && (
        <section aria-labelledby="kept">
          <h2 id="kept">{t("offline.kept")}</h2>
          {kept.length === 0 && <p className={ui.hint}>{t("offline.nothingKept")}</p>}
          <ul>
            {kept.map((result) => (
              <li key={result.transcript.conversationId}>
                <Button kind="link" onClick={() => setOpen(result)}>
                  <Name result={result} />
                </Button>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function Kept({ result, close }: { readonly result: KeptResult; readonly close: () => void }) {
  const { t } = useI18n();
  const { transcript, assessment } = result;
  return (
    <>
      <PageTitle>{t("result.title")}</PageTitle>
      <p className={ui.banner}>{t("offline.banner")}</p>
      <p>
        <Name result={result} />
      </p>
      <Button onClick={close}>{t("app.back")}</Button>
      {assessment !== null && <Assessed view={assessment} transcript={transcript} />}
      <Transcript transcript={transcript} />
    </>
  );
}

function Name({ result }: { readonly result: KeptResult }) {
  const { intl } = useI18n();
  const { imageId, startedAt } = result.transcript;
  return (
    <>
      <span lang="en">{imageId}</span> · {intl.formatDate(startedAt, { dateStyle: "medium", timeStyle: "short" })}
    </>
  );
}
