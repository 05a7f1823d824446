/** What to do next: the objective of the latest assessment, and the picture that was talked about least. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, body } from "../../api/client";
import { useI18n } from "../../i18n/i18n";
import { buttonClass, styles as ui } from "../../ui/ui";
import styles from "./gallery.module.css";

export function NextStep() {
  const { t } = useI18n();
  const next = useQuery({ queryKey: ["conversations", "next"], queryFn: () => body(() => api.GET("/api/next-step")) });
  // Without an assessment every picture is as good as another. A failed request leaves the gallery as it is.
  if (!next.data?.objective) return null;
  const { objective, picture } = next.data;
  return (
    <section className={`${ui.panel} ${styles.next}`} aria-labelledby="next">
      <div>
        <h2 id="next">{t("result.next")}</h2>
        <p lang={objective.language}>{objective.text}</p>
      </div>
      <Link to={`/talk/${picture.imageId}`} className={buttonClass("primary")}>
        <span>
          {t("gallery.nextWith")} <span lang="en">{picture.title}</span>
        </span>
      </Link>
    </section>
  );
}
