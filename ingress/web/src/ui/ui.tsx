/** The elements that several pages share. Native elements throughout: they bring keyboard and screen reader support. */

import {
  useEffect,
  useId,
  useRef,
  useState,
  type ButtonHTMLAttributes,
  type InputHTMLAttributes,
  type ReactNode,
} from "react";
import { ApiError } from "../api/client";
import { isMessage, useI18n } from "../i18n/i18n";
import styles from "./ui.module.css";

export { styles };

type Kind = "normal" | "primary" | "danger" | "link" | "icon";

export function buttonClass(kind: Kind = "normal"): string {
  if (kind === "link") return styles.link ?? "";
  return [styles.button, kind === "normal" ? "" : styles[kind]].join(" ");
}

export function Button({
  kind = "normal",
  ...rest
}: ButtonHTMLAttributes<HTMLButtonElement> & { readonly kind?: Kind }) {
  return <button type="button" {...rest} className={`${buttonClass(kind)} ${rest.className ?? ""}`} />;
}

interface FieldProps extends InputHTMLAttributes<HTMLInputElement> {
  readonly label: string;
  readonly hint?: string | undefined;
  readonly error?: string | undefined;
}

export function Field({ label, hint, error, ...input }: FieldProps) {
  const id = useId();
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <input id={id} aria-invalid={error !== undefined} aria-describedby={`${id}-hint`} {...input} />
      <div id={`${id}-hint`}>
        {hint !== undefined && <p className={styles.hint}>{hint}</p>}
        {error !== undefined && <p className={styles.error}>{error}</p>}
      </div>
    </div>
  );
}

/** A password that can be shown. Pasting is allowed, as password managers need. */
export function PasswordField(props: FieldProps) {
  const { t } = useI18n();
  const [shown, setShown] = useState(false);
  return (
    <div>
      <Field {...props} type={shown ? "text" : "password"} spellCheck={false} autoCapitalize="off" />
      <label className={styles.check}>
        <input type="checkbox" checked={shown} onChange={(event) => setShown(event.target.checked)} />
        {t("field.showPassword")}
      </label>
    </div>
  );
}

interface SelectProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly options: readonly { readonly value: T; readonly label: string }[];
  readonly onChange: (value: T) => void;
}

export function Select<T extends string>({ label, value, options, onChange }: SelectProps<T>) {
  const id = useId();
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.target.value as T)}>
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
    </div>
  );
}

/** The text of an error, in the language of the page. */
export function useErrorText(): (error: unknown) => string {
  const { t } = useI18n();
  return (error) => {
    if (!(error instanceof ApiError)) return t("problem.unexpected");
    const id = `problem.${error.code}`;
    const parts = [isMessage(id) ? t(id, { hint: t("field.passwordHint") }) : t("problem.unexpected")];
    if (error.retryAfter !== null) parts.push(t("problem.retryAfter", { seconds: error.retryAfter }));
    if (!isMessage(id) && error.problem.requestId !== undefined)
      parts.push(t("app.requestId", { id: error.problem.requestId }));
    return parts.join(" ");
  };
}

/** An error that a screen reader announces. The element is there before the error, as announcements require. */
export function ErrorMessage({ error, retry }: { readonly error: unknown; readonly retry?: () => void }) {
  const text = useErrorText();
  const { t } = useI18n();
  return (
    <div role="alert">
      {error !== null && error !== undefined && (
        <div className={`${styles.banner} ${styles.bad} ${styles.row}`}>
          <p>{text(error)}</p>
          {retry !== undefined && <Button onClick={retry}>{t("app.retry")}</Button>}
        </div>
      )}
    </div>
  );
}

/** The heading of a page: takes the focus and gives the window its title when the page opens. */
export function PageTitle({ children }: { readonly children: string }) {
  const ref = useRef<HTMLHeadingElement>(null);
  const { t } = useI18n();
  useEffect(() => {
    document.title = `${children} · ${t("app.name")}`;
  }, [children, t]);
  useEffect(() => {
    ref.current?.focus({ preventScroll: true });
  }, []);
  return (
    <h1 ref={ref} tabIndex={-1}>
      {children}
    </h1>
  );
}

export function Simulated() {
  const { t } = useI18n();
  return (
    <span className={styles.simulated} title={t("app.simulatedHint")}>
      {t("app.simulated")}
    </span>
  );
}

export function Loading() {
  const { t } = useI18n();
  return <p role="status">{t("app.loading")}</p>;
}

/** A question that stops everything else. Closes by Escape and returns the focus, as the native element does. */
export function Dialog(props: {
  readonly open: boolean;
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    if (props.open) ref.current?.showModal();
    else ref.current?.close();
  }, [props.open]);
  return (
    <dialog ref={ref} className={styles.panel} aria-labelledby={id} onClose={props.onClose}>
      <h2 id={id}>{props.title}</h2>
      {props.children}
    </dialog>
  );
}
