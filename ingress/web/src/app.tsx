/** The frame of the page: providers, routes, navigation. */

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, type ReactNode } from "react";
import { BrowserRouter, Navigate, NavLink, Outlet, Route, Routes, useLocation } from "react-router";
import { ApiError } from "./api/client";
import { useMe } from "./api/me";
import { currentSession, renew, subscribe } from "./api/session";
import { useSession } from "./api/use-session";
import styles from "./app.module.css";
import { I18nProvider, useI18n } from "./i18n/i18n";
import { forgetAll } from "./offline/kept";
import { UpdatePrompt } from "./offline/updates";
import { Confirm, Forgot, SignIn, SignUp } from "./pages/account/sign-in";
import { Gallery } from "./pages/gallery/gallery";
import { Loading, PageTitle } from "./ui/ui";

const Offline = lazy(() => import("./offline/offline").then((page) => ({ default: page.Offline })));
const Talk = lazy(() => import("./pages/talk/talk").then((page) => ({ default: page.Talk })));
const Result = lazy(() => import("./pages/result/result").then((page) => ({ default: page.Result })));
const Progress = lazy(() => import("./pages/progress/progress").then((page) => ({ default: page.Progress })));
const Learners = lazy(() => import("./pages/analyst/learners").then((page) => ({ default: page.Learners })));
const Learner = lazy(() => import("./pages/analyst/learner").then((page) => ({ default: page.Learner })));
const Operation = lazy(() => import("./pages/operator/operation").then((page) => ({ default: page.Operation })));
const ConversationPath = lazy(() =>
  import("./pages/operator/path").then((page) => ({ default: page.ConversationPath })),
);
const Account = lazy(() => import("./pages/account/account").then((page) => ({ default: page.Account })));

/** A failed request is repeated only when the service may recover. */
const RETRIES_MAX = 2;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      retry: (failures, error) =>
        failures < RETRIES_MAX && (!(error instanceof ApiError) || error.status === 0 || error.status >= 500),
    },
  },
});

export function App() {
  useEffect(() => {
    void renew();
    // Nothing of one learner stays for the next.
    return subscribe(() => {
      if (currentSession().state !== "signedOut") return;
      queries.clear();
      // A browser that refuses storage has nothing to forget.
      forgetAll().catch(() => undefined);
    });
  }, []);
  return (
    <I18nProvider>
      <QueryClientProvider client={queries}>
        <BrowserRouter>
          <Suspense fallback={<Loading />}>
            <Pages />
          </Suspense>
        </BrowserRouter>
      </QueryClientProvider>
    </I18nProvider>
  );
}

function Pages() {
  return (
    <Routes>
      <Route element={<Entrance />}>
        <Route path="/sign-in" element={<SignIn />} />
        <Route path="/sign-up" element={<SignUp />} />
        <Route path="/confirm" element={<Confirm />} />
        <Route path="/forgot" element={<Forgot />} />
      </Route>
      <Route element={<SignedIn />}>
        <Route path="/talk/:imageId" element={<Talk />} />
        <Route element={<Frame />}>
          <Route path="/" element={<Gallery />} />
          <Route path="/result/:conversationId" element={<Result />} />
          <Route path="/progress" element={<Progress />} />
          <Route path="/learners" element={<Learners />} />
          <Route path="/learners/:learnerId" element={<Learner />} />
          <Route path="/operation" element={<Operation />} />
          <Route path="/operation/:conversationId" element={<ConversationPath />} />
          <Route path="/account" element={<Account />} />
          <Route path="*" element={<NotFound />} />
        </Route>
      </Route>
    </Routes>
  );
}

/** Pages for a visitor without a session. */
function Entrance() {
  const { t } = useI18n();
  const session = useSession();
  const from = (useLocation().state as { from?: string } | null)?.from ?? "/";
  if (session.state === "unknown") return <Loading />;
  if (session.state === "offline") return <OfflinePage />;
  if (session.state === "signedIn") return <Navigate to={from} replace />;
  return (
    <main id="main" className={`${styles.main} ${styles.entrance}`}>
      <div className={styles.brand}>
        <img src="/icon.svg" alt="" width={40} height={40} />
        <strong>{t("app.name")}</strong>
        <LanguageSwitch />
      </div>
      <Outlet />
    </main>
  );
}

function SignedIn() {
  const session = useSession();
  const { setLanguage } = useI18n();
  const { pathname } = useLocation();
  const learnersLanguage = session.state === "signedIn" ? (session.user.pageLanguage ?? null) : null;
  useEffect(() => {
    if (learnersLanguage !== null) setLanguage(learnersLanguage);
  }, [learnersLanguage, setLanguage]);
  if (session.state === "unknown") return <Loading />;
  if (session.state === "offline") return <OfflinePage />;
  if (session.state === "signedOut") return <Navigate to="/sign-in" state={{ from: pathname }} replace />;
  return <Outlet />;
}

function Frame() {
  const { t } = useI18n();
  const roles = useMe().data?.profile.roles ?? [];
  return (
    <>
      <a className={styles.skip} href="#main">
        {t("app.skip")}
      </a>
      <nav className={styles.nav} aria-label={t("nav.main")}>
        <NavLink to="/" end>
          {t("nav.talk")}
        </NavLink>
        <NavLink to="/progress">{t("nav.progress")}</NavLink>
        {roles.includes("analyst") && <NavLink to="/learners">{t("nav.learners")}</NavLink>}
        {roles.includes("operator") && <NavLink to="/operation">{t("nav.operation")}</NavLink>}
        <NavLink to="/account">{t("nav.account")}</NavLink>
      </nav>
      <Main>
        <UpdatePrompt />
        <Outlet />
      </Main>
    </>
  );
}

function OfflinePage() {
  return (
    <Main>
      <Offline />
    </Main>
  );
}

function Main({ children }: { readonly children: ReactNode }) {
  return (
    <main id="main" className={styles.main}>
      {children}
    </main>
  );
}

function LanguageSwitch() {
  const { language, setLanguage } = useI18n();
  const other = language === "en" ? "ko" : "en";
  return (
    <button type="button" className={styles.language} lang={other} onClick={() => setLanguage(other)}>
      {other === "ko" ? "한국어" : "English"}
    </button>
  );
}

function NotFound() {
  const { t } = useI18n();
  return <PageTitle>{t("app.notFound")}</PageTitle>;
}
