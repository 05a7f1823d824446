/** A short exercise: the better phrase from memory, first aloud and then in writing, which is checked word by word. */

import { useId, useState, type FormEvent } from "react";
import { useI18n } from "../../i18n/i18n";
import { Button, styles as ui } from "../../ui/ui";
import { compareWords } from "./compare-words";
import styles from "./result.module.css";

export function Exercise({ phrase }: { readonly phrase: string }) {
  const { t } = useI18n();
  const id = useId();
  const [attempt, setAttempt] = useState("");
  const [checked, setChecked] = useState<string | null>(null);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setChecked(attempt);
  };
  const comparison = checked === null ? null : compareWords(phrase, checked);
  return (
    <form className={`${ui.form} ${styles.exercise}`} onSubmit={submit}>
      <label htmlFor={id}>{t("exercise.lead")}</label>
      <textarea
        id={id}
        lang="en"
        rows={2}
        required
        maxLength={500}
        spellCheck={false}
        autoComplete="off"
        value={attempt}
        onChange={(event) => setAttempt(event.target.value)}
      />
      <Button type="submit">{t("exercise.check")}</Button>
      <div role="status">
        {comparison !== null && comparison.same && <p className={styles.right}>{t("exercise.right")}</p>}
        {comparison !== null && !comparison.same && (
          <>
            <p>{t("exercise.almost")}</p>
            <p lang="en">
              {comparison.words.map((word, index) => (
                // The words of one phrase keep their places.
                <span key={index}>{word.said ? `${word.text} ` : <mark>{word.text}</mark>} </span>
              ))}
            </p>
          </>
        )}
      </div>
    </form>
  );
}
