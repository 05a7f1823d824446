// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * A text message of the client.
 */
export type ClientMessage = ({
type: "end"
} | {
/**
 * The text, at most 2000 characters.
 */
text: string
type: "text"
} | {
/**
 * The generation.
 */
generation: number
/**
 * Milliseconds of it that were played.
 */
ms: number
type: "played"
} | {
type: "interrupt"
})
