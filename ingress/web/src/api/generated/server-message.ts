// Generated from schemas/ by `npm run generate`. Do not edit.

/**
 * A text message of the service.
 */
export type ServerMessage = ({
/**
 * The conversation.
 */
conversationId: string
/**
 * When the time limit ends the conversation.
 */
endsAt: string
/**
 * The generation of the audio that follows.
 */
generation: number
/**
 * Samples of the learner's audio that the service has received, over all sockets of the conversation. A
 * client that reconnects continues with the next sample. Absent when the task that counted them was lost:
 * the learner repeats what is in no turn, and the count starts again at zero.
 */
heardSamples?: (number | null)
/**
 * The objectives of the picture that the learner has met so far.
 */
objectivesMet?: MetObjective[]
/**
 * Whether the model is simulated, once that is known.
 */
simulated?: (boolean | null)
/**
 * Whether the model accepts typed turns.
 */
textSupported: boolean
/**
 * Nothing was said yet, and the tutor will begin. Otherwise it is the learner's turn, or the conversation
 * continues.
 */
tutorBegins?: boolean
type: "ready"
} | {
/**
 * Whether the model is simulated.
 */
simulated: boolean
type: "model"
} | {
/**
 * The generation that the text belongs to.
 */
generation: number
/**
 * The speaker.
 */
speaker: ("learner" | "tutor")
/**
 * Planned or spoken.
 */
stage: ("speculative" | "final")
/**
 * The text.
 */
text: string
type: "caption"
} | {
turn: Turn
type: "turn"
} | {
/**
 * The objective, as the picture has it.
 */
objective: string
/**
 * The learner's words that meet it, as the model quotes them; they are in the turn.
 */
quote: string
/**
 * The index of the learner's turn.
 */
turn: number
type: "objectiveMet"
} | {
/**
 * When the time limit ends the conversation.
 */
endsAt: string
type: "endingSoon"
} | {
/**
 * The generation of the audio that follows.
 */
generation: number
type: "flush"
} | {
type: "reconnecting"
} | {
type: "resumed"
} | {
/**
 * The reason.
 */
reason: "shutdown"
type: "reconnect"
} | {
/**
 * The reason.
 */
reason: ("learner" | "time_limit" | "silence" | "disconnected" | "shutdown" | "model_failed" | "internal_error" | "ingress_lost")
/**
 * Turns in the journal.
 */
turns: number
type: "ended"
} | {
/**
 * The code, for programs.
 */
code: ("unknown_message" | "invalid_audio" | "invalid_text" | "text_not_supported" | "too_many_messages" | "model_failed" | "model_refused" | "unavailable" | "replaced" | "daily_limit" | "spending_limit")
/**
 * The description, for people.
 */
message: string
type: "error"
})

/**
 * An objective of the picture that the learner has met.
 */
export interface MetObjective {
/**
 * The objective, as the picture has it.
 */
objective: string
/**
 * The index of the learner's turn that meets it.
 */
turn: number
}
/**
 * The turn.
 */
export interface Turn {
/**
 * For a tutor turn, the milliseconds from the end of the learner's speech to the first answer audio.
 */
answerLatencyMs?: (number | null)
/**
 * Key of the turn's audio in the audio bucket, where there is audio.
 */
audioKey?: (string | null)
/**
 * Recognition confidence from 0 to 1, where the model gives one. The events of Nova Sonic carry none (Amazon Nova
 * user guides, "output events"), so turns of either generation have none.
 */
confidence?: (number | null)
/**
 * End, in milliseconds since the start of the conversation.
 */
endMs: number
/**
 * Position in the conversation, from 0, without gaps.
 */
index: number
/**
 * Whether the other side cut the turn short.
 */
interrupted: boolean
/**
 * For an interrupted tutor turn, the milliseconds of it that the learner heard, as the client reports them.
 */
playedMs?: (number | null)
/**
 * Who spoke.
 */
speaker: ("learner" | "tutor")
/**
 * Speech in this turn, in milliseconds of audio.
 */
speechMs: number
/**
 * Start, in milliseconds since the start of the conversation.
 */
startMs: number
/**
 * What was said: final text only.
 */
text: string
/**
 * Whether the turn was typed and not spoken.
 */
typed?: boolean
}
