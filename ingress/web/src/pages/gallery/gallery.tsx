/** The 25 pictures, by category, with what the learner has done with each. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, body, type Schemas } from "../../api/client";
import { useSession } from "../../api/use-session";
import { isMessage, useI18n } from "../../i18n/i18n";
import { ErrorMessage, Loading, PageTitle } from "../../ui/ui";
import { PictureImage } from "../../ui/picture";
import styles from "./gallery.module.css";
import { NextStep } from "./next-step";

type Picture = Schemas["PictureSummary"];

/** The catalogue seldom changes. */
export const PICTURES_STALE_MS = 10 * 60_000;

export function usePictures() {
  return useQuery({
    queryKey: ["pictures"],
    queryFn: () => body(() => api.GET("/api/pictures")),
    staleTime: PICTURES_STALE_MS,
  });
}

export function Gallery() {
  const { t } = useI18n();
  const session = useSession();
  const [category, setCategory] = useState<string | null>(null);
  const pictures = usePictures();
  const progress = useQuery({ queryKey: ["progress"], queryFn: () => body(() => api.GET("/api/progress")) });
  const history = useQuery({
    queryKey: ["conversations", "first"],
    queryFn: () => body(() => api.GET("/api/conversations", { params: { query: { limit: 100 } } })),
  });
  const items = pictures.data?.items ?? [];
  const categories = [...new Set(items.map((picture) => picture.category))].sort();
  const talks = Map.groupBy(history.data?.items ?? [], (conversation) => conversation.imageId);
  const name = session.state === "signedIn" ? session.user.name : "";
  const streak = progress.data?.total.streak.currentDays ?? 0;
  return (
    <>
      <header className={styles.header}>
        <div>
          <p className={styles.greeting}>{t("gallery.greeting", { name })}</p>
          <PageTitle>{t("gallery.title")}</PageTitle>
        </div>
        {streak > 0 && <p className={styles.streak}>{t("gallery.streak", { days: streak })}</p>}
      </header>
      <NextStep />
      <div className={styles.categories} role="group" aria-label={t("gallery.categories")}>
        {[null, ...categories].map((value) => (
          <button key={value ?? ""} type="button" aria-pressed={value === category} onClick={() => setCategory(value)}>
            {value === null ? t("gallery.all") : categoryName(value, t)}
          </button>
        ))}
      </div>
      <ErrorMessage error={pictures.error} retry={() => void pictures.refetch()} />
      {pictures.isPending && <Loading />}
      <ul className={styles.pictures}>
        {items
          .filter((picture) => category === null || picture.category === category)
          .map((picture) => (
            <li key={picture.imageId}>
              <Tile picture={picture} talks={talks.get(picture.imageId)?.length ?? 0} />
            </li>
          ))}
      </ul>
    </>
  );
}

function Tile({ picture, talks }: { readonly picture: Picture; readonly talks: number }) {
  const { t } = useI18n();
  return (
    <Link to={`/talk/${picture.imageId}`} className={styles.tile ?? ""}>
      {picture.image !== null && picture.image !== undefined ? (
        <PictureImage picture={picture} sizes="(min-width: 40rem) 20rem, 50vw" lazy />
      ) : (
        <span className={styles.missing} role="img" aria-label={picture.alt} />
      )}
      <span className={styles.title} lang="en">
        {picture.title}
      </span>
      <span className={styles.state}>{talks === 0 ? t("gallery.new") : t("gallery.talks", { count: talks })}</span>
    </Link>
  );
}

function categoryName(category: string, t: ReturnType<typeof useI18n>["t"]): string {
  const id = `category.${category}`;
  return isMessage(id) ? t(id) : category;
}
