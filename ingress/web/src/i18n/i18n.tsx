/** The language of the page and its texts. The choice is kept in this browser. */

import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { createIntl, createIntlCache, type IntlShape } from "react-intl";
import { en, type MessageId } from "./en";
import { ko } from "./ko";

export type Language = "en" | "ko";
const TEXTS: Record<Language, Record<MessageId, string>> = { en, ko };
const STORAGE_KEY = "nova.language";

type Values = Record<string, string | number>;

interface I18n {
  readonly language: Language;
  readonly setLanguage: (language: Language) => void;
  readonly intl: IntlShape;
  readonly t: (id: MessageId, values?: Values) => string;
}

const Context = createContext<I18n | null>(null);
const cache = createIntlCache();

export function I18nProvider({ children }: { readonly children: ReactNode }) {
  const [language, setLanguage] = useState<Language>(initialLanguage);
  useEffect(() => {
    document.documentElement.lang = language;
    localStorage.setItem(STORAGE_KEY, language);
  }, [language]);
  // The tabs of a browser speak one language.
  useEffect(() => {
    const follow = ({ key, newValue }: StorageEvent): void => {
      if (key === STORAGE_KEY && isLanguage(newValue)) setLanguage(newValue);
    };
    window.addEventListener("storage", follow);
    return () => window.removeEventListener("storage", follow);
  }, []);
  const value = useMemo<I18n>(() => {
    const intl = createIntl({ locale: language, messages: TEXTS[language] }, cache);
    const t = (id: MessageId, values?: Values): string => intl.formatMessage({ id }, values);
    return { language, setLanguage, intl, t };
  }, [language]);
  return <Context value={value}>{children}</Context>;
}

export function useI18n(): I18n {
  const value = useContext(Context);
  if (value === null) throw new Error("useI18n requires an I18nProvider");
  return value;
}

/** Whether `id` is a text; codes of the service may be newer than this page. */
export function isMessage(id: string): id is MessageId {
  return id in en;
}

function initialLanguage(): Language {
  const stored = localStorage.getItem(STORAGE_KEY);
  if (isLanguage(stored)) return stored;
  return navigator.language.startsWith("ko") ? "ko" : "en";
}

function isLanguage(value: string | null): value is Language {
  return value === "en" || value === "ko";
}
