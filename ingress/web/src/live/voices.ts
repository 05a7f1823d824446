/** The tutor's voices that `POST /api/conversations` accepts, by the name that learners see. */

export const VOICES = [
  { value: "tiffany", label: "Tiffany (US)" },
  { value: "matthew", label: "Matthew (US)" },
  { value: "amy", label: "Amy (UK)" },
  { value: "olivia", label: "Olivia (AU)" },
  { value: "kiara", label: "Kiara (IN)" },
  { value: "arjun", label: "Arjun (IN)" },
] as const;

export type Voice = (typeof VOICES)[number]["value"];
