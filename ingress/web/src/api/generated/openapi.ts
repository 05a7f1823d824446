// Generated from schemas/ by `npm run generate`. Do not edit.

export interface paths {
    "/api/config": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Configuration of the service
         * @description What a page needs before sign-in: stage, version, voices, levels, categories and limits.
         */
        get: operations["getConfig"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/conversations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the caller's conversations
         * @description Newest first, of the last 90 days. A page can have fewer items than `limit` although there is a next page.
         */
        get: operations["listConversations"];
        put?: never;
        /**
         * Start a conversation
         * @description Returns a ticket for a conversation about a picture. The conversation starts when its live endpoint is opened.
         */
        post: operations["startConversation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/conversations/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a conversation
         * @description With its progress through transcript, assessment and progress counts.
         */
        get: operations["getConversation"];
        put?: never;
        post?: never;
        /**
         * Delete a conversation
         * @description Deletes turns, transcript, assessment and recordings of a conversation that has ended. Its counts in the learner's progress remain; they contain nothing of what was said. Idempotent.
         */
        delete: operations["deleteConversation"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/conversations/{id}/assessment": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get the assessment */
        get: operations["getAssessment"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/conversations/{id}/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Open the WebSocket of a conversation
         * @description The sub-protocol is `nova.live.v1`, see `schemas/live`. The client offers it and `ticket.` followed by the ticket.
         */
        get: operations["openLiveConversation"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/conversations/{id}/results": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow the results of a conversation
         * @description Server-sent events: `transcript`, `assessment` or `failed`, `progress` when the conversation is counted and again when its scores are, and `complete`, after which the stream ends. `Last-Event-ID` resumes a stream. A stream is open for at most ten minutes; a caller has at most four.
         */
        get: operations["followResults"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/conversations/{id}/ticket": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reconnect to a conversation
         * @description Returns a ticket for a conversation that has not ended. It may be live on another task.
         */
        post: operations["returnToConversation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/conversations/{id}/transcript": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the transcript
         * @description JSON, or readable text if `Accept` prefers `text/plain`.
         */
        get: operations["getTranscript"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/conversations/{id}/turns": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Upload a turn
         * @description A recording, WAV or MP3, of at most 30 s and 12 MiB; the padding of an MP3 encoder does not count. The content decides which format it is: the Content-Type may be missing. It is streamed into the live conversation in real time.
         */
        post: operations["uploadTurn"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/conversations/{id}/turns/{index}/audio": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the recording of a turn
         * @description Returns a temporary URL of the WAV file. Recordings are kept for 30 days; a typed turn, or one whose recording was lost, has none.
         */
        get: operations["getTurnAudio"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/conversations/{id}/turns/{index}/recording": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the recording of a turn as a file
         * @description The WAV file itself, or a range of it. Recordings are kept for 30 days.
         */
        get: operations["getTurnRecording"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/docs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Reference page
         * @description The documentation of this API as an HTML page.
         */
        get: operations["getReference"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/flagged": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List flagged conversations
         * @description Conversations of the last 90 days whose assessment has flags for human review, the latest first, without those that the learner deleted. A page has at most 66 items, and can have fewer than `limit` although there is a next page.
         */
        get: operations["listFlagged"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/learners": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List learners
         * @description JSON in pages, or all matches as one table if `Accept` prefers `text/csv`. A page examines a bounded number of learners (66), so it can have fewer items than `limit` although there is a next page.
         */
        get: operations["listLearners"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/learners.csv": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Export learners as CSV
         * @description The same table, for clients that cannot send `Accept`.
         */
        get: operations["exportLearners"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/learners/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Get a learner */
        get: operations["getLearner"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/learners/{id}/conversations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List a learner's conversations
         * @description Newest first, with time, picture and duration.
         */
        get: operations["listLearnerConversations"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/learners/{id}/conversations/{conversation}/assessment": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the scores of a conversation
         * @description Scores, flags and measures, without the learner's words.
         */
        get: operations["getLearnerScores"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/learners/{id}/progress": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a learner's progress
         * @description JSON, or a table with a row for each day if `Accept` prefers `text/csv`.
         */
        get: operations["getLearnerProgress"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/learners/{id}/scores": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the scores of a learner's conversations
         * @description JSON in pages, or the latest 200 as a table if `Accept` prefers `text/csv`; the latest first.
         */
        get: operations["listLearnerScores"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/learners/{id}/scores.csv": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Export a learner's scores as CSV
         * @description The same table, for clients that cannot send `Accept`.
         */
        get: operations["exportLearnerScores"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the caller's account
         * @description A missing record is created again.
         */
        get: operations["getMe"];
        put?: never;
        post?: never;
        /**
         * Delete the account
         * @description Requests the deletion of the account and of all data about its learner, which completes within minutes. The account cannot be used from now on, and a live conversation ends. This cannot be undone.
         */
        delete: operations["deleteMe"];
        options?: never;
        head?: never;
        /**
         * Change the profile
         * @description `If-Match` must be the `ETag` of the version that the change is based on, so that a concurrent change is not overwritten, or `*` for any version.
         */
        patch: operations["changeMe"];
        trace?: never;
    };
    "/api/me/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Export all data about the caller
         * @description One JSON document, which is streamed. If the response is cut, the document is incomplete. Recordings are listed with URLs that are valid for 45 to 60 minutes, or less if the service's credentials expire earlier.
         */
        get: operations["exportMe"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/me/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the sessions
         * @description The browsers in which the caller is signed in, the last used one first.
         */
        get: operations["listSessions"];
        put?: never;
        post?: never;
        /**
         * End the other sessions
         * @description Ends all sessions of the caller except that of the request. Their access tokens and live connections end within 5 s.
         */
        delete: operations["endOtherSessions"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/me/sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * End a session
         * @description Its access tokens and live connections end within 5 s.
         */
        delete: operations["endSession"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/next-step": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What to practise next
         * @description The objective of the latest assessment, and a picture that the learner has practised least.
         */
        get: operations["getNextStep"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * This document
         * @description OpenAPI 3.1.
         */
        get: operations["getOpenApi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/ops/alarms": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the alarms
         * @description What is wrong comes first. Each alarm names its part of the runbook.
         */
        get: operations["listAlarms"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/ops/alerts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the sent alerts
         * @description The alerts of the last 30 days, newest first.
         */
        get: operations["listAlerts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/ops/conversations/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the path of a conversation
         * @description Each stage of the pipeline with the time at which the conversation passed it.
         */
        get: operations["getConversationPath"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/ops/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow queues, workers, alarms and alerts
         * @description Server-sent events, each with a whole list as its data: `queues` (without samples), `workers`, `alarms` and `alerts` (the latest 20), first all of them and then each that has changed. `unavailable` names a list that cannot be read at the moment. A stream is open for at most ten minutes; a caller has at most four.
         */
        get: operations["followOperations"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/ops/queues": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the queues
         * @description The messages and dead letters of each queue now, and samples of the last hour. Counts are at most five seconds old.
         */
        get: operations["listQueues"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/ops/workers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the workers
         * @description The ingress and the workers by the metrics that each process reports once a minute.
         */
        get: operations["listWorkers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/overview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the sums over all learners
         * @description By level, picture or week. They are counted within seconds and keep the share of deleted accounts. A page has at most 50 groups.
         */
        get: operations["getOverview"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/pictures": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List pictures
         * @description Sorted by category and title. An unknown category has no pictures.
         */
        get: operations["listPictures"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/pictures/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a picture
         * @description With its learning material and questions for a level.
         */
        get: operations["getPicture"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/pictures/{id}/images/{file}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get an image file of a picture
         * @description The paths are in `image` of a picture. A file never changes, so a browser may keep it for a year.
         */
        get: operations["getPictureImage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/progress": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the caller's progress
         * @description The days of a range of at most 366 days, and the totals over all days. A conversation is counted within seconds of its end, its scores once it is assessed.
         */
        get: operations["getProgress"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/progress/scores": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the scores of the caller's conversations
         * @description The assessed conversations with their scores and words, the latest first. A conversation that the learner deleted is still listed, as it is still counted.
         */
        get: operations["listScores"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/reports": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Report measurements and blocked content
         * @description A page reports its measurements as JSON; a browser reports violations of the content security policy by itself. No report has words. Unknown properties of a page's report are refused. At most 120 requests of one IP address are accepted in a minute.
         */
        post: operations["report"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/results": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow the results of all learners
         * @description Server-sent events named `result`: a learner for whom something was counted, with name, scores and the totals after it. Two results of a learner within a few seconds are sent as one. `Last-Event-ID` resumes a stream, up to a day later; a resumed stream with more than 66 results to send ends after them, and is resumed again. A stream is open for at most ten minutes.
         */
        get: operations["followAllResults"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/aws-credentials": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Get AWS credentials
         * @description Temporary credentials of the identity pool's authenticated role, which reads published pictures.
         */
        post: operations["getAwsCredentials"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/challenge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Respond to a challenge
         * @description Sends the second factor of a sign-in.
         */
        post: operations["answerChallenge"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/confirm": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Confirm a sign-up
         * @description With the code that was sent to the e-mail address. Password and profile are those of this request. If the service fails after it has accepted the code, a password reset completes the account.
         */
        post: operations["confirmSignUp"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/email": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Change the e-mail address
         * @description Sends a code to the new address. The former one stays valid until `/auth/email/verify` accepts the code. An address that another account has gets no code, and the response is the same.
         */
        post: operations["changeEmail"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/email/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Confirm the new e-mail address
         * @description From now on it is the address to sign in with.
         */
        post: operations["verifyEmail"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/forgot": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Request a code
         * @description To reset a forgotten password, or to complete a sign-up whose e-mail address was never confirmed.
         */
        post: operations["forgotPassword"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/mfa/off": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Turn the second factor off
         * @description From now on the password alone signs in. Recovery codes are void.
         */
        post: operations["disableMfa"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Change the password
         * @description Sessions stay valid; `/auth/sign-out-everywhere` ends them.
         */
        post: operations["changePassword"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/phone": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Request a code by text message
         * @description Sends a code to the phone number. Nothing changes until `/auth/phone/verify` accepts it.
         */
        post: operations["changePhone"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/phone/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Turn codes by text message on
         * @description From now on each sign-in requires a code that is sent to the phone number, and none of an authenticator app. Earlier recovery codes are void.
         */
        post: operations["enableSms"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/recovery-codes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Replace the recovery codes
         * @description Earlier ones are void.
         */
        post: operations["newRecoveryCodes"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/refresh": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Refresh the access token
         * @description With the cookie of the session, which is replaced. The one before is accepted for 10 s; used later, it ends the session.
         */
        post: operations["refreshSession"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/resend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Request another code
         * @description For an e-mail address that has signed up and is not confirmed.
         */
        post: operations["resendCode"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/reset": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reset the password
         * @description With the code that was sent to the e-mail address. Ends all sessions.
         */
        post: operations["resetPassword"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/sign-in": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign in
         * @description With a password, and with a recovery code where the second factor is lost: it turns the second factor off. The session is in a cookie that browsers send only to `/auth`.
         */
        post: operations["signIn"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/sign-out": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign out
         * @description Ends the session of this browser. Its access tokens and live connections end within 5 s.
         */
        post: operations["signOut"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/sign-out-everywhere": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign out everywhere
         * @description Ends all sessions of the learner. Their access tokens and live connections end within 5 s.
         */
        post: operations["signOutEverywhere"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/sign-up": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign up
         * @description Sends a code to the e-mail address, for `/auth/confirm`, which takes the password and the profile. An address that has signed up before gets no code, and the response is the same.
         */
        post: operations["signUp"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/step-up": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Prove the password again
         * @description Password, and second factor where there is one. Changes of the account are allowed for 5 minutes after it, and after a sign-in.
         */
        post: operations["stepUp"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/totp": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Set up an authenticator app
         * @description Returns a new secret. Nothing changes until `/auth/totp/verify` accepts a code of the app.
         */
        post: operations["newTotpSecret"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/totp/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Turn the authenticator app on
         * @description From now on each sign-in requires a code of the app, and no text message. Earlier recovery codes are void.
         */
        post: operations["enableTotp"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Health of the task
         * @description Whether the task accepts conversations. For load balancers.
         */
        get: operations["getHealth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description An access token. */
        Access: {
            /** @description The token, for `Authorization: Bearer`. */
            accessToken: string;
            /**
             * Format: uint32
             * @description Lifetime of the token, in seconds.
             */
            expiresIn: number;
            /** @description The signed-in user. */
            user: components["schemas"]["User"];
        };
        /** @description The state of an alarm, the most urgent first. */
        AlarmState: "alarm" | "insufficient_data" | "ok";
        /** @description An alarm. */
        AlarmView: {
            /** @description The metric; absent if the alarm computes its value, or follows other alarms. */
            metric?: string | null;
            /** @description The name, for example `nova-transcript-depth`. */
            name: string;
            /** @description The reason of CloudWatch for the state. */
            reason: string;
            /** @description Where the operator reads on. */
            runbook?: components["schemas"]["Runbook"] | null;
            /** @description How urgent it is. */
            severity: components["schemas"]["Severity"];
            /**
             * Format: date-time
             * @description Since when it has its state.
             */
            since: string;
            /** @description The state. */
            state: components["schemas"]["AlarmState"];
            /** @description What it means, in one sentence. */
            summary: string;
            /**
             * Format: double
             * @description The value with which the metric is compared; absent if the alarm follows other alarms.
             */
            threshold?: number | null;
            /** @description The queue or the service that it watches. */
            watches?: string | null;
        };
        /** @description The alarms: first those in alarm, by severity, then those without enough data, then the others. */
        Alarms: {
            /** @description The alarms. */
            items: components["schemas"]["AlarmView"][];
        };
        /** @description An alert that was sent. */
        AlertRecord: {
            /** @description The id, the same in each repetition. */
            alertId: string;
            /**
             * Format: date-time
             * @description When it was sent.
             */
            at: string;
            /** @description The conversation, if it is about one. */
            conversationId?: components["schemas"]["ConversationId"] | null;
            /**
             * Format: uint64
             * @description The number of alerts or messages that it stands for, if it is about several.
             */
            count?: number | null;
            /** @description The queue, if it is about dead letters. */
            queue?: string | null;
            /** @description The rule that raised it, for example `conversation.stalled`. */
            rule: string;
            /** @description `critical`, `warning` or `info`. */
            severity: string;
            /** @description What happened, in one line. */
            title: string;
        };
        /** @description Why a conversation has no assessment. */
        AnalysisFailure: "nothing_said" | "invalid_output" | "refused";
        /** @description Answer latencies of a conversation, in milliseconds. */
        AnswerLatency: {
            /**
             * Format: uint32
             * @description Answers measured.
             */
            count: number;
            /**
             * Format: uint64
             * @description The longest, exact.
             */
            maxMs: number;
            /**
             * Format: uint64
             * @description The median, rounded down to 10 ms.
             */
            p50Ms: number;
            /**
             * Format: uint64
             * @description The 95th percentile by nearest rank, rounded down to 10 ms.
             */
            p95Ms: number;
        };
        /** @description What the model says of a conversation. */
        Assessment: {
            /** @description The CEFR level the learner spoke at. */
            cefr: components["schemas"]["Level"];
            /**
             * @description Comparisons with earlier assessments of the learner, at most 6. Both values of each are stored values. Empty without
             *     earlier assessments, and before version 1.3.
             */
            comparisons?: components["schemas"]["Comparison"][];
            /** @description Sentences that could be better, at most 10. */
            corrections: components["schemas"]["Correction"][];
            /** @description What a person should look at. */
            flags: components["schemas"]["Flag"][];
            /** @description One objective for the next conversation, in the feedback language. */
            nextObjective: string;
            /**
             * @description How far the learner met each objective of the picture, in the picture's order. Empty for a picture without objectives,
             *     and before version 1.3.
             */
            objectives?: components["schemas"]["ObjectiveResult"][];
            /**
             * Format: uint8
             * @description The whole conversation, from 0 to 100.
             */
            overall: number;
            /** @description What to practise, in the feedback language, 1 to 5 entries. */
            recommendations: string[];
            /** @description The four skills. */
            skills: components["schemas"]["Skills"];
            /** @description What the learner did well, in the feedback language, 1 to 5 entries. */
            strengths: string[];
        };
        /** @description Data of `failed`. */
        AssessmentFailed: {
            /** @description The id of the conversation. */
            conversationId: components["schemas"]["ConversationId"];
            /** @description Reason of the failure. */
            failure: components["schemas"]["AnalysisFailure"];
        };
        /** @description Data of `assessment`. */
        AssessmentReady: {
            /** @description Estimated CEFR level of the learner. */
            cefr: components["schemas"]["Level"];
            /** @description The id of the conversation. */
            conversationId: components["schemas"]["ConversationId"];
            /** @description Path of the assessment. */
            href: string;
            /**
             * Format: uint8
             * @description Overall score, 0 to 100.
             */
            overall: number;
            /** @description Whether a simulated model assessed the conversation. */
            simulated: boolean;
        };
        /** @description An assessment. */
        AssessmentView: {
            /**
             * Format: date-time
             * @description Time of the assessment.
             */
            analyzedAt: string;
            /** @description The model's assessment. */
            assessment: components["schemas"]["Assessment"];
            /** @description The id of the conversation. */
            conversationId: components["schemas"]["ConversationId"];
            /** @description The language of the comments. */
            feedbackLanguage: components["schemas"]["FeedbackLanguage"];
            /** @description The id of the picture. */
            imageId: string;
            /** @description Measures of the conversation. */
            measures: components["schemas"]["Measures"];
            /** @description The id of the model. */
            modelId: string;
            /** @description Whether a simulated model assessed the conversation. */
            simulated: boolean;
        };
        /** @description Temporary AWS credentials. */
        AwsCredentials: {
            /** @description The id of the access key. */
            accessKeyId: string;
            /**
             * Format: date-time
             * @description When the credentials expire.
             */
            expiresAt: string;
            /** @description The secret of the access key. */
            secretAccessKey: string;
            /** @description The session token. */
            sessionToken: string;
        };
        /** @description A browser on a system. */
        Browser: {
            /** @description The family of the browser. */
            family: components["schemas"]["Family"];
            /** @description The operating system. */
            system: components["schemas"]["System"];
        };
        /** @description A report of the Reporting API. Reports of other types than `csp-violation` are ignored. */
        BrowserReport: {
            body?: components["schemas"]["BrowserReportBody"];
            type: string;
        };
        BrowserReportBody: {
            /** @default  */
            effectiveDirective?: string;
        };
        /** @description A factor that is required besides the password. */
        Challenge: "totp" | "sms" | "newPassword";
        /** @description The response to a challenge. */
        ChallengeResponse: {
            /** @description The code of the authenticator app or the text message; for `newPassword`, the new password. */
            answer: string;
            /** @description The challenge. */
            challenge: components["schemas"]["Challenge"];
            /** @description The session of the challenge. */
            session: string;
        };
        /** @description What a page measured in one conversation, or in a part of it. */
        ClientReport: {
            /**
             * @description Times from the end of the learner's speech to the first audible reply, in milliseconds.
             * @default []
             */
            answerMs?: number[];
            /**
             * @description Times from the start of a connection to its first message, in milliseconds.
             * @default []
             */
            connectMs?: number[];
            /**
             * Format: uint32
             * @description How often the microphone picked up the tutor's voice.
             * @default 0
             */
            echoes?: number;
            /**
             * Format: uint32
             * @description How often a script of the page failed.
             * @default 0
             */
            errors?: number;
            /**
             * Format: uint32
             * @description How often the playback ran out of the tutor's audio.
             * @default 0
             */
            underruns?: number;
        };
        /**
         * @description The code of a problem, for programs. Later versions may add codes.
         * @enum {string}
         */
        Code: "body_invalid" | "cookie_ambiguous" | "invalid_request" | "query_invalid" | "challenge_ended" | "credentials_wrong" | "session_ended" | "session_missing" | "ticket_invalid" | "ticket_used" | "token_expired" | "token_invalid" | "token_missing" | "csrf_header_missing" | "password_reset_required" | "password_wrong" | "account_deleted" | "role_missing" | "step_up_required" | "not_assessed" | "not_found" | "not_ready" | "method_not_allowed" | "upload_too_slow" | "conversation_in_progress" | "conversation_in_pipeline" | "conversation_live" | "conversation_not_live" | "turn_in_progress" | "conversation_ended" | "profile_changed" | "body_too_large" | "file_too_large" | "content_type_unsupported" | "content_unsupported" | "range_invalid" | "audio_broken" | "audio_empty" | "code_wrong" | "channels_unsupported" | "email_refused" | "encoding_unsupported" | "field_invalid" | "password_weak" | "sample_rate_unsupported" | "turn_too_long" | "if_match_missing" | "conversation_quota_reached" | "too_many_requests" | "internal_error" | "accounts_unavailable" | "busy" | "spending_limit_reached" | "stopping" | "timeout";
        /** @description The next step for the learner. */
        CodeRequested: {
            /** @description A message for the learner. */
            detail: string;
        };
        /** @description A value that is compared: a score of the model from 0 to 100, or a measure of ours. */
        ComparedValue: "overall" | "fluency" | "vocabulary" | "grammar" | "relevance" | "words" | "distinctWords" | "wordsPerMinute";
        /** @description A value of this assessment beside the same value of an earlier one. */
        Comparison: {
            /** @description What the difference means, in the feedback language. */
            comment: string;
            /** @description The earlier conversation. */
            conversationId: components["schemas"]["ConversationId"];
            /**
             * Format: double
             * @description The value of the earlier conversation, as it is stored.
             */
            earlier: number;
            /**
             * Format: double
             * @description The value of this conversation, as it is stored.
             */
            now: number;
            /** @description What is compared. */
            value: components["schemas"]["ComparedValue"];
        };
        /** @description Data of `complete`. */
        Complete: {
            /** @description The id of the conversation. */
            conversationId: components["schemas"]["ConversationId"];
        };
        /** @description Whether a service works. */
        Condition: "running" | "breaker_open" | "silent";
        /** @description The confirmation of a sign-up. */
        Confirm: {
            /** @description The code from the e-mail, 1 to 10 digits. */
            code: string;
            /** @description The e-mail address, case insensitive. */
            email: string;
            /**
             * @description The default language of assessments.
             * @default en
             */
            feedbackLanguage?: components["schemas"]["FeedbackLanguage"];
            /**
             * @description Topics of interest: at most 20, each of 1 to 50 characters without commas.
             * @default []
             */
            interests?: string[];
            /**
             * @description The default level of conversations.
             * @default B1
             */
            level?: components["schemas"]["Level"];
            /** @description The learner's name, 1 to 100 characters. */
            name: string;
            /**
             * @description The language of the page.
             * @default en
             */
            pageLanguage?: components["schemas"]["PageLanguage"];
            /** @description The password: 8 to 256 characters, including an upper-case letter, a lower-case letter and a digit. */
            password: string;
            /** @description The IANA time zone that decides the learner's days, e.g. `Asia/Seoul`. Without it, UTC. */
            timeZone?: string | null;
        };
        /**
         * Format: uuid
         * @description A conversation: a UUIDv7, the `sessionId` of the Conversations table.
         *
         *     The milliseconds inside it are the start of the conversation and so the sort key of its header item: whoever
         *     holds the id can read the header.
         */
        ConversationId: string;
        /**
         * @description What was measured of a conversation, over all processes that held it. What a process had counted when it was
         *     lost without a hand-over is not in it.
         */
        ConversationMetrics: {
            /** @description From the end of the learner's speech to the first audio of the answer; absent without an answer. */
            answerLatency?: components["schemas"]["AnswerLatency"] | null;
            /**
             * Format: uint32
             * @description Times that the learner's socket came back.
             */
            reconnects: number;
            /**
             * Format: uint32
             * @description Streams that failed or could not be opened, and were replaced.
             */
            recoveries: number;
            /**
             * Format: uint32
             * @description Streams replaced because of their age.
             */
            renewals: number;
            /**
             * Format: uint32
             * @description Times that another process took the conversation over.
             */
            takeovers: number;
        };
        /** @description Where a conversation is, and when it passed each stage. */
        ConversationPath: {
            /** @description The conversation. */
            conversationId: components["schemas"]["ConversationId"];
            /** @description The picture. */
            imageId: string;
            /**
             * Format: date-time
             * @description Until when that task counts as alive.
             */
            leaseUntil?: string | null;
            /** @description The task that holds a live conversation. */
            owner?: string | null;
            /** @description All stages in order. */
            stages: components["schemas"]["StageReport"][];
            /**
             * Format: date-time
             * @description When it began.
             */
            startedAt: string;
            /** @description Where it is. */
            state: components["schemas"]["PathState"];
            /** @description The learner. */
            userId: components["schemas"]["UserId"];
        };
        /** @description A conversation in a list. */
        ConversationSummary: {
            /** @description The id. */
            conversationId: components["schemas"]["ConversationId"];
            /** @description The end; absent while the conversation is live. */
            ended?: components["schemas"]["EndView"] | null;
            /** @description The language of the assessment. */
            feedbackLanguage: components["schemas"]["FeedbackLanguage"];
            /** @description The id of the picture. */
            imageId: string;
            /** @description The level of the conversation. */
            level: components["schemas"]["Level"];
            /**
             * Format: date-time
             * @description Start.
             */
            startedAt: string;
            /** @description The IANA time zone that decides the day of the conversation. */
            timeZone: string;
        };
        /** @description A conversation with its progress through the pipeline. */
        ConversationView: {
            /** @description The id. */
            conversationId: components["schemas"]["ConversationId"];
            /** @description The end; absent while the conversation is live. */
            ended?: components["schemas"]["EndView"] | null;
            /** @description The language of the assessment. */
            feedbackLanguage: components["schemas"]["FeedbackLanguage"];
            /** @description The id of the picture. */
            imageId: string;
            /** @description The level of the conversation. */
            level: components["schemas"]["Level"];
            /** @description Paths of related resources. */
            links: components["schemas"]["Links"];
            /** @description The stages of the pipeline, in order. */
            pipeline: components["schemas"]["StageView"][];
            /**
             * Format: date-time
             * @description Start.
             */
            startedAt: string;
            /** @description The IANA time zone that decides the day of the conversation. */
            timeZone: string;
        };
        /** @description A sentence that could be better. */
        Correction: {
            /** @description A better way to say it, in English. */
            better: string;
            /** @description Where the quote stands; absent in what the model returns and before version 1.2. */
            place?: components["schemas"]["QuotePlace"] | null;
            /** @description The learner's words, exactly as they stand in one turn of the transcript. */
            quote: string;
            /** @description Why, in the feedback language. */
            why: string;
        };
        /** @description What an assessment cost, in millionths of a US dollar, with the prices it was computed with. */
        Cost: {
            /**
             * Format: uint64
             * @description Price of a million input tokens.
             */
            inputUsdMicrosPerMtok: number;
            /**
             * Format: uint64
             * @description Price of a million output tokens.
             */
            outputUsdMicrosPerMtok: number;
            /**
             * Format: uint64
             * @description All tokens of all attempts, rounded up to a whole millionth of a dollar.
             */
            usdMicros: number;
        };
        /** @description What was counted. */
        Counted: "activity" | "scores";
        /** @description A violation of the content security policy (CSP Level 2, `report-uri`). Further properties are ignored. */
        CspReport: {
            "csp-report": components["schemas"]["CspReportBody"];
        };
        CspReportBody: {
            /** @default  */
            "effective-directive"?: string;
            /** @default  */
            "violated-directive"?: string;
        };
        /** @description A day on which a learner had a conversation. */
        Day: {
            /**
             * Format: uint64
             * @description Number of conversations.
             */
            conversations: number;
            /**
             * Format: date
             * @description The learner's local day.
             */
            date: string;
            /**
             * Format: uint64
             * @description Duration of the conversations from start to end, in milliseconds.
             */
            durationMs: number;
            /**
             * Format: uint64
             * @description Duration of the learner's speech, in milliseconds.
             */
            learnerSpeechMs: number;
            /** @description Number of assessments by level; levels without assessments are absent. */
            levels: {
                [key: string]: number;
            };
            /**
             * Format: uint64
             * @description Number of assessed conversations.
             */
            scored: number;
            /** @description Mean scores of the assessed conversations; absent without assessments. */
            scores?: components["schemas"]["Means"] | null;
            /**
             * Format: uint64
             * @description Turns of learner and tutor.
             */
            turns: number;
            /**
             * Format: uint64
             * @description Words of the learner, spoken and typed, in the assessed conversations. Assessments before version 1.3 of the events are
             *     not among them.
             */
            words: number;
            /**
             * Format: double
             * @description Spoken words by minute of speech, rounded to a tenth; absent without speech.
             */
            wordsPerMinute?: number | null;
        };
        /** @description The confirmation of a deletion. */
        Deletion: {
            /** @description Must be `delete my account`, to prevent accidental deletion. */
            confirm: string;
        };
        /** @description A requested deletion. */
        DeletionRequested: {
            /**
             * Format: date-time
             * @description Time of the first request.
             */
            deletionRequestedAt: string;
        };
        /** @description Where a trend goes. */
        Direction: "rising" | "steady" | "falling";
        /** @description An e-mail address. */
        EmailAddress: {
            /** @description The e-mail address, case insensitive. */
            email: string;
        };
        /** @description The next step of a change of the e-mail address. */
        EmailChange: {
            /** @description Whether `/auth/email/verify` needs the code that was sent to the new address. A local user pool changes it at once. */
            codeSent: boolean;
        };
        /** @description The code that was sent to the new e-mail address. */
        EmailCode: {
            /** @description The code, 1 to 10 digits. */
            code: string;
        };
        /** @description Why a conversation ended. */
        EndReason: "learner" | "time_limit" | "silence" | "disconnected" | "shutdown" | "model_failed" | "internal_error" | "ingress_lost";
        /** @description The end of a conversation. */
        EndView: {
            /**
             * Format: date-time
             * @description Time of the end.
             */
            at: string;
            /**
             * Format: uint64
             * @description Duration of the learner's speech, in milliseconds.
             */
            learnerSpeechMs: number;
            /** @description Reason of the end. */
            reason: components["schemas"]["EndReason"];
            /**
             * Format: uint32
             * @description Number of turns of both sides.
             */
            turns: number;
        };
        /** @description A quote of the learner and what it shows. */
        Evidence: {
            /** @description What it shows, in the feedback language. */
            comment: string;
            /** @description Where the quote stands; absent in what the model returns and before version 1.2. */
            place?: components["schemas"]["QuotePlace"] | null;
            /** @description The learner's words, exactly as they stand in one turn of the transcript. */
            quote: string;
        };
        /** @description All data about a learner. This type only gives the schema: the document is written piece by piece. */
        Export: {
            /** @description The record of the account. Only the user pool holds the e-mail address and the password. */
            account: components["schemas"]["User"];
            /** @description The conversations, oldest first. */
            conversations: components["schemas"]["ExportedConversation"][];
            /**
             * Format: date-time
             * @description Start of the export.
             */
            exportedAt: string;
            /** @description Progress by day (`YYYY-MM-DD`) and over all days (`total`), as stored. */
            progress: {
                [key: string]: {
                    [key: string]: unknown;
                };
            };
            /** @description The version of the schema, `major.minor`. */
            version: string;
        };
        /** @description A conversation with all its data. */
        ExportedConversation: {
            /** @description The stored assessment. */
            assessment?: components["schemas"]["StoredAnalysis"] | null;
            /** @description The id. */
            conversationId: components["schemas"]["ConversationId"];
            /** @description Reason of the end. */
            endReason?: components["schemas"]["EndReason"] | null;
            /**
             * Format: date-time
             * @description End; absent while it is live.
             */
            endedAt?: string | null;
            /** @description The language of the assessment. */
            feedbackLanguage: components["schemas"]["FeedbackLanguage"];
            /** @description The id of the picture. */
            imageId: string;
            /** @description The level of the conversation. */
            level: components["schemas"]["Level"];
            /** @description Technical metrics. */
            metrics?: components["schemas"]["ConversationMetrics"] | null;
            /** @description The stored recordings. */
            recordings: components["schemas"]["RecordingLink"][];
            /**
             * Format: date-time
             * @description Start.
             */
            startedAt: string;
            /** @description The IANA time zone of the conversation. */
            timeZone: string;
            /** @description The stored transcript. */
            transcript?: components["schemas"]["Transcript"] | null;
            /** @description The turns, as recorded in the journal. */
            turns: components["schemas"]["Turn"][];
            /** @description Tokens used. */
            usage?: components["schemas"]["Usage"] | null;
            /** @description The learner. */
            userId: components["schemas"]["UserId"];
            /** @description The voice of the tutor. */
            voice?: string | null;
        };
        /** @description A code of an authenticator app or a text message. */
        FactorCode: {
            /** @description The code, 1 to 10 digits. */
            code: string;
        };
        /** @description A family of browsers. */
        Family: "chrome" | "edge" | "firefox" | "opera" | "safari" | "samsung" | "other";
        /** @description An event of the stream: its name is `event`. */
        FeedEvent: {
            data: components["schemas"]["LearnerResult"];
            /** @constant */
            event: "result";
        };
        /** @description The language in which a learner reads the assessment. */
        FeedbackLanguage: "en" | "ko";
        /** @description Something a person should look at. */
        Flag: "distress" | "unsafe" | "personal_data" | "manipulation" | "little_speech";
        /** @description A flagged conversation. */
        FlaggedConversation: {
            /** @description The level at which the learner spoke. */
            cefr: components["schemas"]["Level"];
            /** @description The id of the conversation. */
            conversationId: components["schemas"]["ConversationId"];
            /**
             * Format: uint32
             * @description Different words among them.
             */
            distinctWords?: number | null;
            /** @description Flags for human review. */
            flags: components["schemas"]["Flag"][];
            /**
             * Format: uint8
             * @description Fluency.
             */
            fluency: number;
            /**
             * Format: uint8
             * @description Grammar.
             */
            grammar: number;
            /** @description The id of the picture. */
            imageId: string;
            /** @description The id of the learner. */
            learnerId: components["schemas"]["UserId"];
            /** @description The level of the conversation; absent if it was assessed by an older build. */
            level?: components["schemas"]["Level"] | null;
            /** @description The name of the learner. */
            name: string;
            /**
             * Format: uint8
             * @description The whole conversation.
             */
            overall: number;
            /**
             * Format: uint8
             * @description Relevance to the picture.
             */
            relevance: number;
            /** @description Whether a simulated model assessed it. */
            simulated: boolean;
            /**
             * Format: date-time
             * @description Start.
             */
            startedAt: string;
            /**
             * Format: uint8
             * @description Vocabulary.
             */
            vocabulary: number;
            /**
             * Format: uint32
             * @description Words of the learner; absent if it was assessed by an older build, as the next two.
             */
            words?: number | null;
            /**
             * Format: double
             * @description Words per minute of speech.
             */
            wordsPerMinute?: number | null;
        };
        /** @description What sums over all learners are divided by. */
        Group: "level" | "picture" | "week";
        /** @description The sums of a group, over all learners. */
        GroupSums: {
            /**
             * Format: uint64
             * @description Number of conversations.
             */
            conversations: number;
            /**
             * Format: uint64
             * @description Duration of the conversations from start to end, in milliseconds.
             */
            durationMs: number;
            /** @description The level, the id of the picture, or the ISO week, for example `2026-W48`. */
            key: string;
            /**
             * Format: uint64
             * @description Duration of the learner's speech, in milliseconds.
             */
            learnerSpeechMs: number;
            /** @description Number of assessments by level; levels without assessments are absent. */
            levels: {
                [key: string]: number;
            };
            /**
             * Format: uint64
             * @description Number of assessed conversations.
             */
            scored: number;
            /** @description Mean scores of the assessed conversations; absent without assessments. */
            scores?: components["schemas"]["Means"] | null;
            /**
             * Format: uint64
             * @description Turns of learner and tutor.
             */
            turns: number;
            /**
             * Format: uint64
             * @description Words of the learner, spoken and typed, in the assessed conversations. Assessments before version 1.3 of the events are
             *     not among them.
             */
            words: number;
            /**
             * Format: double
             * @description Spoken words by minute of speech, rounded to a tenth; absent without speech.
             */
            wordsPerMinute?: number | null;
        };
        /** @description The health of the task. */
        Health: {
            /**
             * Format: uint
             * @description Number of live conversations.
             */
            conversations: number;
            /** @description Whether the task accepts conversations. */
            status: components["schemas"]["Status"];
        };
        /** @description A conversation in the history. */
        HistoryItem: {
            /** @description The id. */
            conversationId: components["schemas"]["ConversationId"];
            /** @description The end; absent while the conversation is live. */
            ended?: components["schemas"]["EndView"] | null;
            /** @description The language of the assessment. */
            feedbackLanguage: components["schemas"]["FeedbackLanguage"];
            /** @description The id of the picture. */
            imageId: string;
            /** @description The level of the conversation. */
            level: components["schemas"]["Level"];
            /** @description The scores; absent without an assessment. */
            scores?: components["schemas"]["HistoryScores"] | null;
            /** @description How far the conversation has come. */
            stage: components["schemas"]["HistoryStage"];
            /**
             * Format: date-time
             * @description Start.
             */
            startedAt: string;
            /** @description The IANA time zone that decides the day of the conversation. */
            timeZone: string;
            /** @description The title of the picture; absent if the picture is no longer published. */
            title?: string | null;
        };
        /** @description The scores of an assessment, each from 0 to 100. */
        HistoryScores: {
            /** @description Estimated CEFR level of the learner. */
            cefr: components["schemas"]["Level"];
            /** Format: uint8 */
            fluency: number;
            /** Format: uint8 */
            grammar: number;
            /** Format: uint8 */
            overall: number;
            /** Format: uint8 */
            relevance: number;
            /** Format: uint8 */
            vocabulary: number;
        };
        /** @description How far a conversation has come. */
        HistoryStage: "live" | "ended" | "assessed";
        /** @description A form of an image. */
        ImageForm: {
            /** @description The media type. */
            contentType: string;
            /**
             * Format: uint32
             * @description Height in pixels.
             */
            height?: number | null;
            /** @description The path of the file, which needs no token. */
            url: string;
            /**
             * Format: uint32
             * @description Width in pixels.
             */
            width?: number | null;
        };
        /** @description A result of a learner. */
        LearnerResult: {
            /**
             * Format: date-time
             * @description Time of the count.
             */
            at: string;
            /** @description The latest counted conversation. */
            conversationId?: components["schemas"]["ConversationId"] | null;
            /** @description The name of the learner. */
            name: string;
            /** @description Its scores; absent until it is assessed. */
            scored?: components["schemas"]["ScoredConversation"] | null;
            /** @description The totals of the learner. */
            total: components["schemas"]["Total"];
            /** @description The id of the learner. */
            userId: components["schemas"]["UserId"];
        };
        /** @description A learner, for analysts. */
        LearnerView: {
            /**
             * Format: date-time
             * @description Creation of the account.
             */
            createdAt: string;
            /** @description Topics of interest. */
            interests: string[];
            /** @description The default level of the learner's conversations. */
            level: components["schemas"]["Level"];
            /** @description The learner's name. */
            name: string;
            /** @description The learner's IANA time zone. */
            timeZone: string;
            /** @description The totals of the learner. */
            total: components["schemas"]["Total"];
            /** @description The id of the learner. */
            userId: components["schemas"]["UserId"];
        };
        /** @description A learner's level on the Common European Framework of Reference (CEFR). */
        Level: "A1" | "A2" | "B1" | "B2" | "C1" | "C2";
        /** @description The level over the latest ten assessments. */
        LevelTrend: {
            /** @description Whether the later assessments are higher or lower than the earlier ones. */
            direction: components["schemas"]["Direction"];
            /** @description The level. It changes only when several assessments agree. */
            level: components["schemas"]["Level"];
        };
        /** @description The least and the most of a value. */
        Limit: {
            /** Format: uint64 */
            max: number;
            /** Format: uint64 */
            min?: number | null;
            unit: components["schemas"]["Unit"];
        };
        /** @description Paths of the resources of a conversation. Those that do not exist are absent. */
        Links: {
            /** @description The assessment. */
            assessment?: string | null;
            /** @description The stream of results. */
            results: string;
            /** @description The transcript. */
            transcript?: string | null;
        };
        /** @description The caller's account. */
        Me: {
            /**
             * Format: date-time
             * @description Creation of the account.
             */
            createdAt: string;
            /** @description The e-mail address. */
            email: string;
            /** @description The default language of assessments. */
            feedbackLanguage: components["schemas"]["FeedbackLanguage"];
            /** @description Topics of interest: at most 20, each of 1 to 50 characters without commas. */
            interests: string[];
            /** @description The default level of conversations. */
            level: components["schemas"]["Level"];
            /** @description The learner's name, 1 to 100 characters. */
            name: string;
            /**
             * @description The language of the page.
             * @default en
             */
            pageLanguage?: components["schemas"]["PageLanguage"];
            /**
             * Format: uint
             * @description Recovery codes that are left.
             */
            recoveryCodes: number;
            /** @description The roles of the caller: `learner`, `analyst`, `operator`. */
            roles: string[];
            /** @description The second factor. */
            secondFactor: components["schemas"]["SecondFactor"];
            /** @description The IANA time zone that decides the learner's days, e.g. `Asia/Seoul`. */
            timeZone: string;
            /**
             * Format: date-time
             * @description Last change of the profile.
             */
            updatedAt: string;
            /** @description The id of the learner. */
            userId: components["schemas"]["UserId"];
            /**
             * Format: uint64
             * @description Version of the profile: 1 at first, incremented with each change.
             */
            version: number;
        };
        /** @description Mean scores from 0 to 100, rounded to a tenth. */
        Means: {
            /**
             * Format: double
             * @description Flow and pace.
             */
            fluency: number;
            /**
             * Format: double
             * @description Correctness.
             */
            grammar: number;
            /**
             * Format: double
             * @description Overall score.
             */
            overall: number;
            /**
             * Format: double
             * @description Relevance to the picture.
             */
            relevance: number;
            /**
             * Format: double
             * @description Range and choice of words.
             */
            vocabulary: number;
        };
        /**
         * @description What we compute from the transcript, of the learner's turns only. Rates are over the learner's own speech.
         *
         *     A word is a segment between the default word boundaries of Unicode (UAX #29) that has a letter or a digit: an apostrophe
         *     inside a word belongs to it, a hyphen divides two words. Two words are the same if they differ in nothing but case, curly
         *     or straight apostrophes, invisible characters and the form of canonically equivalent characters. Documents before version
         *     1.3 counted a hyphenated compound as one word.
         */
        Measures: {
            /**
             * Format: double
             * @description Tutor turns that the learner answered, from 0 to 1; 0 without tutor turns.
             */
            answerRatio: number;
            /**
             * Format: uint32
             * @description Different words among them. Only of one conversation: the numbers of several cannot be added.
             */
            distinctWords: number;
            /**
             * Format: uint32
             * @description Turns of the learner.
             */
            learnerTurns: number;
            /**
             * Format: uint64
             * @description The longest of them, in milliseconds; 0 without any.
             * @default 0
             */
            longestPauseMs?: number;
            /**
             * Format: double
             * @description Mean silence before the learner's turns, in milliseconds; 0 without turns.
             */
            meanPauseMs: number;
            /**
             * Format: double
             * @description Mean words in a turn; 0 without turns.
             */
            meanTurnWords: number;
            /**
             * Format: uint32
             * @description Silences of which that is the mean.
             * @default 0
             */
            pauses?: number;
            /**
             * Format: uint64
             * @description Speech of the learner, in milliseconds.
             */
            speechMs: number;
            /**
             * Format: uint32
             * @description Words of the learner, spoken and typed.
             */
            words: number;
            /**
             * Format: double
             * @description Words of the turns with speech, by minute of that speech; 0 without speech.
             */
            wordsPerMinute: number;
        };
        /**
         * @description Something worth telling a learner. What a milestone rests on only ever grows, so it is reached whatever the order
         *     in which conversations and assessments are counted.
         */
        Milestone: "first_conversation" | "ten_conversations" | "hundred_conversations" | "streak_seven_days" | "streak_thirty_days" | "hour_spoken" | "ten_hours_spoken" | "hundred_hours_spoken" | "level_a2" | "level_b1" | "level_b2" | "level_c1" | "level_c2";
        /** @description The objective that the latest assessment recommends. */
        NextObjective: {
            /** @description The assessed conversation. */
            conversationId: components["schemas"]["ConversationId"];
            /** @description The language of the text. */
            language: components["schemas"]["FeedbackLanguage"];
            /** @description The text. */
            text: string;
        };
        /** @description A recommendation for the next conversation. */
        NextStep: {
            /** @description Whether the learner has not talked about it in the latest conversations. */
            isNew: boolean;
            /** @description The objective; absent while none of the latest conversations is assessed. */
            objective?: components["schemas"]["NextObjective"] | null;
            /** @description The picture. The learner has talked about it least, and least about its category. */
            picture: components["schemas"]["PictureSummary"];
        };
        /** @description How far the learner met an objective of the picture. */
        ObjectiveResult: {
            /** @description The reason, in the feedback language. */
            comment: string;
            /** @description The objective, word for word as the picture has it. */
            objective: string;
            /** @description Where the quote stands; absent in what the model returns. */
            place?: components["schemas"]["QuotePlace"] | null;
            /**
             * @description The learner's words that show it, exactly as they stand in one turn of the transcript; absent only for an objective that
             *     is not met.
             */
            quote?: string | null;
            /** @description How far it is met. */
            verdict: components["schemas"]["ObjectiveVerdict"];
        };
        /** @description How far an objective is met. */
        ObjectiveVerdict: "met" | "partly_met" | "not_met";
        /** @description An event of the stream: its name is `event`, its data is the list. */
        OpsEvent: {
            data: components["schemas"]["Queues"];
            /** @constant */
            event: "queues";
        } | {
            data: components["schemas"]["Workers"];
            /** @constant */
            event: "workers";
        } | {
            data: components["schemas"]["Alarms"];
            /** @constant */
            event: "alarms";
        } | {
            data: components["schemas"]["AlertRecord"][];
            /** @constant */
            event: "alerts";
        } | {
            data: components["schemas"]["Source"];
            /** @constant */
            event: "unavailable";
        };
        /** @description The language in which the page speaks to a learner. */
        PageLanguage: "en" | "ko";
        /** @description A page of a list. */
        PageOfAlertRecord: {
            /** @description The items, in the order of the list. */
            items: components["schemas"]["AlertRecord"][];
            /** @description The `cursor` of the next page; absent on the last page. */
            nextCursor?: string | null;
        };
        /** @description A page of a list. */
        PageOfConversationSummary: {
            /** @description The items, in the order of the list. */
            items: components["schemas"]["ConversationSummary"][];
            /** @description The `cursor` of the next page; absent on the last page. */
            nextCursor?: string | null;
        };
        /** @description A page of a list. */
        PageOfFlaggedConversation: {
            /** @description The items, in the order of the list. */
            items: components["schemas"]["FlaggedConversation"][];
            /** @description The `cursor` of the next page; absent on the last page. */
            nextCursor?: string | null;
        };
        /** @description A page of a list. */
        PageOfGroupSums: {
            /** @description The items, in the order of the list. */
            items: components["schemas"]["GroupSums"][];
            /** @description The `cursor` of the next page; absent on the last page. */
            nextCursor?: string | null;
        };
        /** @description A page of a list. */
        PageOfHistoryItem: {
            /** @description The items, in the order of the list. */
            items: components["schemas"]["HistoryItem"][];
            /** @description The `cursor` of the next page; absent on the last page. */
            nextCursor?: string | null;
        };
        /** @description A page of a list. */
        PageOfLearnerView: {
            /** @description The items, in the order of the list. */
            items: components["schemas"]["LearnerView"][];
            /** @description The `cursor` of the next page; absent on the last page. */
            nextCursor?: string | null;
        };
        /** @description A page of a list. */
        PageOfScoredConversation: {
            /** @description The items, in the order of the list. */
            items: components["schemas"]["ScoredConversation"][];
            /** @description The `cursor` of the next page; absent on the last page. */
            nextCursor?: string | null;
        };
        /** @description A change of the password. */
        PasswordChange: {
            /** @description The new password: 8 to 256 characters, including an upper-case letter, a lower-case letter and a digit. */
            newPassword: string;
        };
        /** @description A password reset. */
        PasswordReset: {
            /** @description The code from the e-mail, 1 to 10 digits. */
            code: string;
            /** @description The e-mail address, case insensitive. */
            email: string;
            /** @description The new password: 8 to 256 characters, including an upper-case letter, a lower-case letter and a digit. */
            password: string;
        };
        /** @description Where a conversation is. */
        PathState: "live" | "inTime" | "complete" | "stalled";
        /** @description A phone number. */
        PhoneNumber: {
            /** @description The number with a plus sign and the country code, e.g. `+821012345678`. */
            phone: string;
        };
        /** @description A picture with its learning material. */
        PictureDetails: {
            /** @description Alternative text. */
            alt: string;
            /** @description The category. */
            category: string;
            /** @description The image file; absent if it is not published yet. */
            image?: components["schemas"]["PictureFile"] | null;
            /** @description The id. */
            imageId: string;
            /** @description Learning objectives. */
            objectives: string[];
            /** @description Guiding questions for the level, or for the nearest level that has questions. */
            questions: string[];
            /** @description The title. */
            title: string;
            /** @description Vocabulary to practise. */
            vocabulary: string[];
        };
        /** @description The image of a picture, in several forms. A URL contains a hash of its file, so what it returns never changes. */
        PictureFile: {
            /** @description The media type. */
            contentType: string;
            /**
             * Format: uint32
             * @description Height in pixels.
             */
            height?: number | null;
            /** @description The path of the file, which needs no token. */
            url: string;
            /** @description Smaller forms for browsers, the narrowest first. Empty until they are published. */
            variants: components["schemas"]["ImageForm"][];
            /**
             * Format: uint32
             * @description Width in pixels.
             */
            width?: number | null;
        };
        /** @description Pictures, sorted by category and title. */
        PictureList: {
            /** @description The pictures. */
            items: components["schemas"]["PictureSummary"][];
        };
        /** @description A picture in a list. */
        PictureSummary: {
            /** @description Alternative text. */
            alt: string;
            /** @description The category. */
            category: string;
            /** @description The image file; absent if it is not published yet. */
            image?: components["schemas"]["PictureFile"] | null;
            /** @description The id. */
            imageId: string;
            /** @description The title. */
            title: string;
        };
        /** @description The body of an error (RFC 9457). */
        Problem: {
            /** @description The allowed values, where these are few. */
            allowed?: string[];
            /** @description The code of the problem, for programs. */
            code: components["schemas"]["Code"];
            /** @description The conversation in which the learner is. */
            conversationId?: string | null;
            /** @description What is wrong and what is allowed, for people. */
            detail: string;
            /** @description The invalid field or parameter. */
            field?: string | null;
            /** @description The limit that is exceeded. */
            limit?: components["schemas"]["Limit"] | null;
            /** @description Why the field or parameter is invalid, for programs. */
            reason?: components["schemas"]["Reason"] | null;
            /** @description The id of the request, which is in the log. */
            requestId: string;
            /**
             * Format: uint64
             * @description Seconds until the request can be repeated, as `Retry-After` says.
             */
            retryAfterSeconds?: number | null;
            /** @description The required role. */
            role?: string | null;
            /**
             * Format: uint16
             * @description The HTTP status.
             */
            status: number;
            /** @description The name of the HTTP status. */
            title: string;
            /** @description Always `about:blank`; `code` identifies the problem. */
            type: string;
        };
        /** @description A change of the profile. Absent fields stay unchanged. */
        ProfileChange: {
            /** @description The default language of assessments. */
            feedbackLanguage?: components["schemas"]["FeedbackLanguage"] | null;
            /** @description Topics of interest: at most 20, each of 1 to 50 characters without commas. */
            interests?: string[] | null;
            /** @description The default level of conversations. */
            level?: components["schemas"]["Level"] | null;
            /** @description The learner's name, 1 to 100 characters. */
            name?: string | null;
            /** @description The language of the page. */
            pageLanguage?: components["schemas"]["PageLanguage"] | null;
            /** @description The IANA time zone that decides the learner's days, e.g. `Asia/Seoul`. */
            timeZone?: string | null;
        };
        /** @description Data of `progress`. */
        ProgressCounted: {
            /** @description The id of the conversation. */
            conversationId: components["schemas"]["ConversationId"];
            /**
             * Format: uint64
             * @description Total number of conversations.
             */
            conversations: number;
            /** @description What was counted. */
            counted: components["schemas"]["Counted"];
            /**
             * Format: uint32
             * @description Days of the streak up to the learner's latest day, when this was counted.
             */
            currentStreakDays: number;
            /**
             * Format: date
             * @description The day in the learner's time zone to which it was added.
             */
            date: string;
            /** @description Trend over the latest assessments; absent without assessments. */
            direction?: components["schemas"]["Direction"] | null;
            /** @description Level over the latest assessments; absent without assessments. */
            level?: components["schemas"]["Level"] | null;
            /**
             * Format: uint32
             * @description Longest streak, in days.
             */
            longestStreakDays: number;
            /** @description Milestones that it reached. */
            milestones: components["schemas"]["Milestone"][];
        };
        /** @description The progress of a learner. */
        ProgressView: {
            /** @description The days with a conversation, in order, in the learner's time zone. */
            days: components["schemas"]["Day"][];
            /**
             * Format: date
             * @description First day of the range.
             */
            from: string;
            /**
             * Format: date
             * @description Last day of the range.
             */
            to: string;
            /** @description Totals over all days, not only the range. */
            total: components["schemas"]["Total"];
        };
        /** @description The largest values of a minute. */
        QueueSample: {
            /**
             * Format: date-time
             * @description Start of the minute.
             */
            at: string;
            /**
             * Format: uint64
             * @description Messages in the dead-letter queue.
             */
            deadLetters?: number | null;
            /**
             * Format: uint64
             * @description Age of the oldest message, in seconds.
             */
            oldestSeconds?: number | null;
            /**
             * Format: uint64
             * @description Messages that waited.
             */
            waiting?: number | null;
        };
        /** @description A queue with its dead-letter queue. */
        QueueState: {
            /**
             * Format: uint64
             * @description Messages in the dead-letter queue.
             */
            deadLetters: number;
            /**
             * Format: uint64
             * @description Messages whose delay is not over.
             */
            delayed?: number;
            /**
             * Format: uint64
             * @description Messages that a worker has received.
             */
            inFlight?: number;
            /**
             * Format: uint64
             * @description Age of the oldest message, in seconds, at the last sample. Messages that were received three times or more do not count.
             *     Absent where it is not known.
             */
            oldestSeconds?: number | null;
            /** @description The name of its worker, or `events` for events that no rule could deliver, which have a dead-letter queue only. */
            queue: string;
            /**
             * @description The samples of the last hour, at most one a minute, oldest first. Absent in events of the stream, and where CloudWatch
             *     cannot be read.
             */
            samples?: components["schemas"]["QueueSample"][] | null;
            /**
             * Format: uint64
             * @description Messages that wait for a worker.
             */
            waiting?: number;
        };
        /** @description All queues, in the order of the workers; `events` is the last. */
        Queues: {
            /** @description The queues. */
            items: components["schemas"]["QueueState"][];
        };
        /**
         * @description Where a quote stands: the first place in the learner's turns at which the quote and the turn's `text` are the same. They
         *     are compared without regard to case, to the kind and number of white space characters, to invisible characters, to whether
         *     quotation marks and apostrophes are curly, and to the form of canonically equivalent characters (UAX #15). A quote begins
         *     and ends at word boundaries. What is found in this way is accepted as a quote, and nothing else.
         *
         *     Positions count UTF-16 code units of the turn's `text` as the transcript holds it: in JavaScript the quoted words are
         *     `text.slice(start, end)`.
         */
        QuotePlace: {
            /**
             * Format: uint32
             * @description The position after the last code unit.
             */
            end: number;
            /**
             * Format: uint32
             * @description The position of the first code unit.
             */
            start: number;
            /**
             * Format: uint32
             * @description The index of the turn.
             */
            turn: number;
        };
        /** @description Why a value is invalid. */
        Reason: "malformed" | "missing" | "unknown_name" | "duplicate" | "out_of_limit" | "not_allowed" | "contradicts";
        /** @description A recording. */
        RecordingLink: {
            /** @description The storage key, which turns refer to. */
            key: string;
            /** @description URL of the WAV file, valid for 45 to 60 minutes, or less if the service's credentials expire earlier. */
            url: string;
        };
        /** @description Recovery codes, which are shown only here. */
        RecoveryCodes: {
            /** @description Ten codes. Each signs in once, with the password, instead of the second factor. */
            recoveryCodes: string[];
        };
        /** @description An event of the stream: its name is `event`. */
        ResultEvent: {
            data: components["schemas"]["TranscriptReady"];
            /** @constant */
            event: "transcript";
        } | {
            data: components["schemas"]["AssessmentReady"];
            /** @constant */
            event: "assessment";
        } | {
            data: components["schemas"]["AssessmentFailed"];
            /** @constant */
            event: "failed";
        } | {
            data: components["schemas"]["ProgressCounted"];
            /** @constant */
            event: "progress";
        } | {
            data: components["schemas"]["Complete"];
            /** @constant */
            event: "complete";
        };
        /** @description A part of a runbook. */
        Runbook: {
            /** @description The heading in it. */
            heading: string;
            /** @description The file in `infra/runbooks`. */
            page: string;
        };
        /** @description An assessed conversation, without a word of it. */
        ScoredConversation: {
            /** @description The level at which the learner spoke. */
            cefr: components["schemas"]["Level"];
            /** @description The id of the conversation. */
            conversationId: components["schemas"]["ConversationId"];
            /**
             * Format: uint32
             * @description Different words among them.
             */
            distinctWords?: number | null;
            /** @description Flags for human review. */
            flags: components["schemas"]["Flag"][];
            /**
             * Format: uint8
             * @description Fluency.
             */
            fluency: number;
            /**
             * Format: uint8
             * @description Grammar.
             */
            grammar: number;
            /** @description The id of the picture. */
            imageId: string;
            /** @description The id of the learner. */
            learnerId: components["schemas"]["UserId"];
            /** @description The level of the conversation; absent if it was assessed by an older build. */
            level?: components["schemas"]["Level"] | null;
            /**
             * Format: uint8
             * @description The whole conversation.
             */
            overall: number;
            /**
             * Format: uint8
             * @description Relevance to the picture.
             */
            relevance: number;
            /** @description Whether a simulated model assessed it. */
            simulated: boolean;
            /**
             * Format: date-time
             * @description Start.
             */
            startedAt: string;
            /**
             * Format: uint8
             * @description Vocabulary.
             */
            vocabulary: number;
            /**
             * Format: uint32
             * @description Words of the learner; absent if it was assessed by an older build, as the next two.
             */
            words?: number | null;
            /**
             * Format: double
             * @description Words per minute of speech.
             */
            wordsPerMinute?: number | null;
        };
        /** @description An assessment for analysts: scores and measures, without quotes of the learner and comments on them. */
        ScoresView: {
            /**
             * Format: date-time
             * @description Time of the assessment.
             */
            analyzedAt: string;
            /** @description Estimated CEFR level of the learner. */
            cefr: components["schemas"]["Level"];
            /** @description The id of the conversation. */
            conversationId: components["schemas"]["ConversationId"];
            /** @description Flags for human review. */
            flags: components["schemas"]["Flag"][];
            /**
             * Format: uint8
             * @description Fluency score, 0 to 100: flow and pace.
             */
            fluency: number;
            /**
             * Format: uint8
             * @description Grammar score, 0 to 100.
             */
            grammar: number;
            /** @description The id of the picture. */
            imageId: string;
            /** @description Measures of the conversation. */
            measures: components["schemas"]["Measures"];
            /**
             * Format: uint8
             * @description Overall score, 0 to 100.
             */
            overall: number;
            /**
             * Format: uint8
             * @description Relevance score, 0 to 100: how far the conversation was about the picture.
             */
            relevance: number;
            /** @description Whether a simulated model assessed the conversation. */
            simulated: boolean;
            /**
             * Format: uint8
             * @description Vocabulary score, 0 to 100: range and choice of words.
             */
            vocabulary: number;
        };
        /** @description The second factor of a user. A user has at most one: turning one on turns the other one off. */
        SecondFactor: "none" | "totp" | "sms";
        /** @description The configuration of the service, as far as a page needs it. */
        ServiceConfig: {
            /** @description The categories of the pictures, in alphabetical order. */
            categories: string[];
            /** @description The code that confirms every sign-up of the local user pool, which sends no e-mail. Absent in every other stage. */
            confirmationCode?: string | null;
            /** @description The levels, the easiest first. */
            levels: components["schemas"]["Level"][];
            /** @description The limits of what a learner enters and does. */
            limits: components["schemas"]["ServiceLimits"];
            /** @description Whether the models are simulated: the tutor repeats words, and assessments mean nothing. */
            modelsSimulated: boolean;
            /** @description The stage, e.g. `production` or `local`. */
            stage: string;
            /** @description The version of the service. */
            version: string;
            /** @description The voices of the tutor. The first one is the default. */
            voices: components["schemas"]["VoiceChoice"][];
        };
        /** @description Limits of what a learner enters and does. */
        ServiceLimits: {
            /**
             * Format: uint64
             * @description Longest conversation, in seconds.
             */
            conversationSecondsMax: number;
            /**
             * Format: uint64
             * @description How long a conversation waits for a client that lost its connection, in seconds.
             */
            graceSeconds: number;
            /**
             * Format: uint
             * @description Longest interest, in characters.
             */
            interestCharsMax: number;
            /**
             * Format: uint
             * @description Most interests.
             */
            interestsMax: number;
            /**
             * Format: uint
             * @description Longest name, in characters.
             */
            nameCharsMax: number;
            /**
             * Format: uint16
             * @description Most items of a page of a list.
             */
            pageItemsMax: number;
            /**
             * Format: uint
             * @description Longest password, in characters.
             */
            passwordCharsMax: number;
            /**
             * Format: uint
             * @description Shortest password, in characters.
             */
            passwordCharsMin: number;
            /**
             * Format: int32
             * @description Most days of progress in one response.
             */
            progressDaysMax: number;
            /**
             * Format: uint64
             * @description Silence of both sides after which a conversation ends, in seconds.
             */
            silenceSecondsMax: number;
            /**
             * Format: uint
             * @description Longest typed turn, in characters.
             */
            typedCharsMax: number;
            /**
             * Format: uint
             * @description Largest file of an uploaded turn, in bytes.
             */
            uploadedBytesMax: number;
            /**
             * Format: uint64
             * @description Longest uploaded turn, in seconds.
             */
            uploadedSecondsMax: number;
        };
        /** @description The sessions of the caller, the last used one first. */
        SessionList: {
            /** @description The sessions. */
            items: components["schemas"]["SessionView"][];
        };
        /** @description A session: a browser in which the caller is signed in. */
        SessionView: {
            /** @description The browser at the sign-in. */
            browser: components["schemas"]["Browser"];
            /** @description Whether it is the session of this request. */
            current: boolean;
            /**
             * Format: uuid
             * @description The id of the session.
             */
            id: string;
            /**
             * Format: date-time
             * @description The sign-in.
             */
            startedAt: string;
            /**
             * Format: date-time
             * @description The last use, to within a few minutes.
             */
            usedAt: string;
        };
        /** @description How urgent an alarm is, by the topic that it notifies; the most urgent first. */
        Severity: "critical" | "warning" | "info";
        /** @description A sign-in. */
        SignIn: {
            /** @description The e-mail address, case insensitive. */
            email: string;
            /** @description The password. */
            password: string;
            /** @description A recovery code instead of the second factor, which it turns off. */
            recoveryCode?: string | null;
        };
        /** @description The result of a sign-in. */
        SignInResult: components["schemas"]["Access"] | {
            /** @description The factor. */
            challenge: components["schemas"]["Challenge"];
            /** @description Where the code was sent, masked. */
            destination: string;
            /** @description Must be sent with the response, within three minutes. */
            session: string;
            /** @constant */
            status: "challenge";
        };
        /** @description A pre-signed URL of an object. */
        SignedUrl: {
            /**
             * Format: date-time
             * @description When the URL expires.
             */
            expiresAt: string;
            /**
             * Format: uri
             * @description The URL. It gives access without further authentication.
             */
            url: string;
        };
        /** @description A score and what it rests on. */
        SkillScore: {
            /** @description Quotes that show it, 1 to 3. */
            evidence: components["schemas"]["Evidence"][];
            /**
             * Format: uint8
             * @description From 0 to 100.
             */
            score: number;
        };
        /** @description The four skills that are scored. */
        Skills: {
            /** @description Flow and pace. */
            fluency: components["schemas"]["SkillScore"];
            /** @description Correctness. */
            grammar: components["schemas"]["SkillScore"];
            /** @description How far the talk was about the picture. */
            relevance: components["schemas"]["SkillScore"];
            /** @description Range and choice of words. */
            vocabulary: components["schemas"]["SkillScore"];
        };
        /** @description An order of learners. */
        Sort: "activity" | "speech" | "overall" | "conversations";
        /**
         * @description The direction of an order.
         * @enum {string}
         */
        SortOrder: "asc" | "desc";
        /**
         * @description A list of the stream.
         * @enum {string}
         */
        Source: "queues" | "workers" | "alarms" | "alerts";
        /** @description Who spoke a turn. */
        Speaker: "learner" | "tutor";
        /** @description What has to happen to every conversation, in this order where one thing needs another. */
        Stage: "ended" | "published" | "transcript" | "analysis" | "activity" | "scores" | "alerts";
        /** @description Whether a stage was passed. */
        StageCondition: "passed" | "missing" | "waiting" | "notNeeded";
        /** @description A stage of a conversation. */
        StageReport: {
            /**
             * Format: date-time
             * @description When it was passed, where that is recorded.
             */
            at?: string | null;
            /**
             * Format: date-time
             * @description Since when it could have been passed, if it is overdue.
             */
            overdueSince?: string | null;
            /** @description The stage. */
            stage: components["schemas"]["Stage"];
            /** @description Whether it was passed. */
            status: components["schemas"]["StageCondition"];
            /**
             * Format: uint64
             * @description Milliseconds since everything that it needs had happened, where both times are known.
             */
            tookMs?: number | null;
        };
        /** @description Whether a stage is complete. */
        StageStatus: "passed" | "missing" | "notNeeded";
        /** @description A stage of the pipeline for a conversation. */
        StageView: {
            /**
             * Format: date-time
             * @description Time of completion, if known.
             */
            at?: string | null;
            /** @description The stage. */
            stage: components["schemas"]["Stage"];
            /** @description Whether the stage is complete. */
            status: components["schemas"]["StageStatus"];
        };
        /** @description The request for a conversation. */
        StartRequest: {
            /** @description The language of the assessment; by default that of the profile. */
            feedbackLanguage?: components["schemas"]["FeedbackLanguage"] | null;
            /** @description The id of the picture. */
            imageId: string;
            /** @description The level of the conversation; by default that of the profile. */
            level?: components["schemas"]["Level"] | null;
            /** @description The learner's IANA time zone, e.g. `Asia/Seoul`; by default that of the profile. */
            timeZone?: string | null;
            /** @description The voice of the tutor. */
            voice?: string | null;
        };
        /** @description A ticket for a conversation. */
        Started: {
            /** @description The id of the conversation. */
            conversationId: components["schemas"]["ConversationId"];
            /** @description Path of the live endpoint. */
            live: string;
            /** @description The ticket, which opens the live endpoint once. */
            ticket: string;
            /**
             * Format: date-time
             * @description Expiry of the ticket.
             */
            ticketExpiresAt: string;
        };
        /** @description Whether the task accepts conversations. */
        Status: "ok" | "stopping";
        /** @description The proof of password and second factor. */
        StepUp: {
            /**
             * @description The code of the second factor, where there is one: that of an authenticator app with the password or with `session`, that of
             *     a text message with `session`.
             */
            code?: string | null;
            /** @description The password. Without it, `session` and `code`. */
            password?: string | null;
            /** @description The session of the challenge to which `code` responds. */
            session?: string | null;
        };
        /** @description The result of a step-up. */
        StepUpResult: {
            /**
             * Format: uint32
             * @description For how long, in seconds.
             */
            expiresIn: number;
            /** @constant */
            status: "steppedUp";
        } | {
            /** @description The second factor. */
            challenge: components["schemas"]["Challenge"];
            /** @description Where the code was sent, masked. */
            destination: string;
            /** @description Must be sent with the code, within three minutes. */
            session: string;
            /** @constant */
            status: "challenge";
        };
        /** @description The stored assessment. */
        StoredAnalysis: {
            /**
             * Format: date-time
             * @description When it was assessed.
             */
            analyzedAt: string;
            /** @description The model's opinion. */
            assessment: components["schemas"]["Assessment"];
            /** @description The conversation. */
            conversationId: components["schemas"]["ConversationId"];
            /** @description What those tokens cost; absent in version 1.0. */
            cost?: components["schemas"]["Cost"] | null;
            /** @description Language of the comments. */
            feedbackLanguage: components["schemas"]["FeedbackLanguage"];
            /** @description The picture they talked about. */
            imageId: string;
            /**
             * Format: uint64
             * @description Tokens given to the model, over all attempts.
             */
            inputTokens: number;
            /** @description Our measures. */
            measures: components["schemas"]["Measures"];
            /** @description The model that assessed. */
            modelId: string;
            /**
             * Format: uint64
             * @description Tokens produced by the model, over all attempts.
             */
            outputTokens: number;
            /** @description Whether the model was simulated. */
            simulated: boolean;
            /** @description The learner. */
            userId: components["schemas"]["UserId"];
            /** @description Version of this document's shape, `major.minor`. */
            version: string;
        };
        /** @description Days in a row on which the learner had a conversation. */
        Streak: {
            /**
             * Format: uint32
             * @description Days in the run that ends with [`Streak::last_day`]. Whether it still lasts is for the reader to say, who knows
             *     what day it is: it does if the last day is today or yesterday.
             */
            currentDays: number;
            /**
             * Format: date
             * @description The latest day with a conversation, `YYYY-MM-DD`; absent before the first one was counted.
             */
            lastDay?: string | null;
            /**
             * Format: uint32
             * @description Days in the longest run of all.
             */
            longestDays: number;
        };
        /** @description Tokens in one direction. */
        StreamUsage: {
            /**
             * Format: uint64
             * @description Speech tokens.
             */
            speechTokens: number;
            /**
             * Format: uint64
             * @description Text tokens.
             */
            textTokens: number;
        };
        /** @description An operating system. */
        System: "android" | "chromeOs" | "ios" | "linux" | "macOs" | "windows" | "other";
        /** @description The progress of a learner over all days. */
        Total: {
            /**
             * Format: uint64
             * @description Number of conversations.
             */
            conversations: number;
            /**
             * Format: uint64
             * @description Duration of the conversations from start to end, in milliseconds.
             */
            durationMs: number;
            /**
             * Format: uint64
             * @description Duration of the learner's speech, in milliseconds.
             */
            learnerSpeechMs: number;
            /** @description Number of assessments by level; levels without assessments are absent. */
            levels: {
                [key: string]: number;
            };
            /** @description The milestones that were reached, in their fixed order. */
            milestones: components["schemas"]["Milestone"][];
            /**
             * Format: uint64
             * @description Number of assessed conversations.
             */
            scored: number;
            /** @description Mean scores of the assessed conversations; absent without assessments. */
            scores?: components["schemas"]["Means"] | null;
            /** @description Consecutive days. `currentDays` is 0 unless the last day is today or yesterday in the learner's time zone. */
            streak: components["schemas"]["Streak"];
            /** @description The level over the latest assessments; absent without assessments. */
            trend?: components["schemas"]["LevelTrend"] | null;
            /**
             * Format: uint64
             * @description Turns of learner and tutor.
             */
            turns: number;
            /**
             * Format: date-time
             * @description Time of the last change; absent without counted activity.
             */
            updatedAt?: string | null;
            /**
             * Format: uint64
             * @description Words of the learner, spoken and typed, in the assessed conversations. Assessments before version 1.3 of the events are
             *     not among them.
             */
            words: number;
            /**
             * Format: double
             * @description Spoken words by minute of speech, rounded to a tenth; absent without speech.
             */
            wordsPerMinute?: number | null;
        };
        /** @description The secret for an authenticator app. */
        TotpSecret: {
            /** @description The secret in base 32, to type in. */
            secret: string;
            /** @description The secret as an `otpauth://` URI, for a QR code. */
            uri: string;
        };
        /** @description A conversation in words, with what was measured while it happened. */
        Transcript: {
            /** @description The conversation. */
            conversationId: components["schemas"]["ConversationId"];
            /**
             * Format: date-time
             * @description End.
             */
            endedAt: string;
            /** @description The language in which the learner reads the assessment; absent in version 1.0. */
            feedbackLanguage?: components["schemas"]["FeedbackLanguage"] | null;
            /** @description The picture they talked about. */
            imageId: string;
            /** @description The learner's level when the conversation began. */
            level: components["schemas"]["Level"];
            /** @description What was measured; absent where the process that measured was lost. */
            metrics?: components["schemas"]["ConversationMetrics"] | null;
            /** @description Why it ended. */
            reason: components["schemas"]["EndReason"];
            /**
             * Format: date-time
             * @description Start.
             */
            startedAt: string;
            /** @description The learner's IANA time zone, which decides the day in UserProgress; absent in version 1.0. */
            timeZone?: string | null;
            /** @description The turns in order. */
            turns: components["schemas"]["TranscriptTurn"][];
            /** @description Tokens used. */
            usage: components["schemas"]["Usage"];
            /** @description The learner. */
            userId: components["schemas"]["UserId"];
            /** @description Version of this document's shape, `major.minor`. */
            version: string;
        };
        /** @description Data of `transcript`. */
        TranscriptReady: {
            /** @description The id of the conversation. */
            conversationId: components["schemas"]["ConversationId"];
            /** @description Path of the transcript. */
            href: string;
            /** @description Reason of the end. */
            reason: components["schemas"]["EndReason"];
            /**
             * Format: uint32
             * @description Number of turns.
             */
            turns: number;
        };
        /** @description A turn of the transcript: the journalled turn with the address of its audio. */
        TranscriptTurn: {
            /** @description The turn was recorded and the recording was lost before it was stored: its key leads nowhere. */
            audioMissing?: boolean;
            /** @description `s3://bucket/key` of the turn's audio, where there was an object when the transcript was written. */
            audioUri?: string | null;
            /** @description The turn. */
            turn: components["schemas"]["Turn"];
        };
        /** @description A transcript. */
        TranscriptView: {
            /** @description The id of the conversation. */
            conversationId: components["schemas"]["ConversationId"];
            /**
             * Format: date-time
             * @description End.
             */
            endedAt: string;
            /** @description The id of the picture. */
            imageId: string;
            /** @description The level of the conversation. */
            level: components["schemas"]["Level"];
            /** @description Reason of the end. */
            reason: components["schemas"]["EndReason"];
            /**
             * Format: date-time
             * @description Start.
             */
            startedAt: string;
            /** @description The turns, in order. */
            turns: components["schemas"]["TurnView"][];
        };
        /** @description One turn of a conversation, as it is journalled. */
        Turn: {
            /**
             * Format: uint64
             * @description For a tutor turn, the milliseconds from the end of the learner's speech to the first answer audio.
             */
            answerLatencyMs?: number | null;
            /** @description Key of the turn's audio in the audio bucket, where there is audio. */
            audioKey?: string | null;
            /**
             * Format: double
             * @description Recognition confidence from 0 to 1, where the model gives one. The events of Nova Sonic carry none (Amazon Nova
             *     user guides, "output events"), so turns of either generation have none.
             */
            confidence?: number | null;
            /**
             * Format: uint64
             * @description End, in milliseconds since the start of the conversation.
             */
            endMs: number;
            /**
             * Format: uint32
             * @description Position in the conversation, from 0, without gaps.
             */
            index: number;
            /** @description Whether the other side cut the turn short. */
            interrupted: boolean;
            /**
             * Format: uint64
             * @description For an interrupted tutor turn, the milliseconds of it that the learner heard, as the client reports them.
             */
            playedMs?: number | null;
            /** @description Who spoke. */
            speaker: components["schemas"]["Speaker"];
            /**
             * Format: uint64
             * @description Speech in this turn, in milliseconds of audio.
             */
            speechMs: number;
            /**
             * Format: uint64
             * @description Start, in milliseconds since the start of the conversation.
             */
            startMs: number;
            /** @description What was said: final text only. */
            text: string;
            /**
             * @description Whether the turn was typed and not spoken.
             * @default false
             */
            typed?: boolean;
        };
        /** @description A turn. */
        TurnView: {
            /**
             * Format: uint64
             * @description For a turn of the tutor, the milliseconds from the end of the learner's speech to its first audio.
             */
            answerLatencyMs?: number | null;
            /** @description Path that returns the URL of the recording; absent without a recording. */
            audio?: string | null;
            /**
             * Format: uint64
             * @description End, in milliseconds since the start of the conversation.
             */
            endMs: number;
            /**
             * Format: uint32
             * @description Index of the turn, from 0.
             */
            index: number;
            /** @description Whether the other side interrupted it. */
            interrupted: boolean;
            /**
             * Format: uint64
             * @description For an interrupted turn of the tutor, the milliseconds of it that the learner heard.
             */
            playedMs?: number | null;
            /** @description Path of the recording itself; absent without a recording. */
            recording?: string | null;
            /** @description Who spoke. */
            speaker: components["schemas"]["Speaker"];
            /**
             * Format: uint64
             * @description Speech in this turn, in milliseconds of audio.
             */
            speechMs: number;
            /**
             * Format: uint64
             * @description Start, in milliseconds since the start of the conversation.
             */
            startMs: number;
            /** @description The text. */
            text: string;
            /** @description Whether it was typed. */
            typed: boolean;
        };
        /**
         * @description What a limit counts.
         * @enum {string}
         */
        Unit: "bytes" | "characters" | "digits" | "items" | "days" | "milliseconds" | "channels";
        /** @description An accepted turn. */
        UploadedTurn: {
            /**
             * Format: uint64
             * @description Duration of the turn, in milliseconds.
             */
            durationMs: number;
        };
        /** @description Tokens used by a conversation, summed over its Sonic streams. */
        Usage: {
            /** @description Speech and text given to the model. */
            input: components["schemas"]["StreamUsage"];
            /** @description Speech and text produced by the model. */
            output: components["schemas"]["StreamUsage"];
        };
        /** @description The record of a learner. */
        User: {
            /**
             * Format: date-time
             * @description When the record was created.
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description When the learner requested the deletion of the account. The profile does not change after that.
             */
            deletionRequestedAt?: string | null;
            /** @description The default language of assessments. */
            feedbackLanguage: components["schemas"]["FeedbackLanguage"];
            /** @description Topics of interest: at most 20, each of 1 to 50 characters without commas. */
            interests: string[];
            /** @description The default level of conversations. */
            level: components["schemas"]["Level"];
            /** @description The learner's name, 1 to 100 characters. */
            name: string;
            /**
             * @description The language of the page.
             * @default en
             */
            pageLanguage?: components["schemas"]["PageLanguage"];
            /** @description The IANA time zone that decides the learner's days, e.g. `Asia/Seoul`. */
            timeZone: string;
            /**
             * Format: date-time
             * @description When the profile was last changed.
             */
            updatedAt: string;
            /** @description The id of the learner, the `sub` of the user pool. */
            userId: components["schemas"]["UserId"];
            /**
             * Format: uint64
             * @description 1 for a new record; each change of the profile increments it.
             */
            version: number;
        };
        /**
         * @description A learner: the `sub` of the user pool, 1 to 128 characters of `A-Z a-z 0-9 -`.
         *
         *     It stands in object keys, so its alphabet is closed.
         */
        UserId: string;
        /** @description A voice of the tutor. */
        VoiceChoice: {
            /** @description The accent, for people. */
            accent: string;
            /** @description The id, for `voice` of a new conversation. */
            id: string;
        };
        /** @description A service by its reports. */
        WorkerState: {
            /**
             * Format: uint64
             * @description Messages that it handles now, in all processes; for the ingress, live conversations.
             */
            inFlight: number;
            /**
             * Format: date-time
             * @description The last report, to the minute; absent if there was none in the last quarter of an hour.
             */
            lastReportAt?: string | null;
            /**
             * Format: double
             * @description The time that 95 % of the messages stayed below in the last minute with any, in milliseconds; for the ingress, requests.
             */
            p95Ms?: number | null;
            /**
             * Format: double
             * @description Messages that were handled a minute, over the last five minutes; for the ingress, requests.
             */
            perMinute: number;
            /**
             * Format: uint64
             * @description The number of processes that report.
             */
            processes: number;
            /** @description `ingress`, or the name of the worker. */
            service: string;
            /** @description Whether it works. */
            state: components["schemas"]["Condition"];
        };
        /** @description The ingress and the workers. */
        Workers: {
            /** @description The services: first the ingress, then the workers. */
            items: components["schemas"]["WorkerState"][];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getConfig: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag of the response that the caller has. */
                "If-None-Match"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    /** @description How long the response is fresh. */
                    "Cache-Control"?: string;
                    /** @description Entity tag of the content. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServiceConfig"];
                };
            };
            /** @description Unchanged: the caller has the current content. */
            304: {
                headers: {
                    /** @description How long the response is fresh. */
                    "Cache-Control"?: string;
                    /** @description Entity tag of the content. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    listConversations: {
        parameters: {
            query?: {
                /** @description Only conversations from this day on, in the time zone of the conversation. */
                from?: string;
                /** @description Only conversations about this picture. */
                imageId?: string;
                /** @description Only conversations about a picture whose title has this text, case insensitive. */
                text?: string;
                /** @description Only conversations until this day, in the time zone of the conversation. */
                to?: string;
                /** @description `nextCursor` of the previous page. */
                cursor?: string;
                /** @description Maximum number of items; 20 by default. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageOfHistoryItem"];
                };
            };
            /** @description `query_invalid`: The query parameter `field` is invalid. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "query_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    startConversation: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["StartRequest"];
            };
        };
        responses: {
            /** @description Created. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Started"];
                };
            };
            /** @description `body_invalid`: The body is not valid JSON or is incomplete. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `not_found`: The resource does not exist, or the caller has no access to it. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_found";
                    };
                };
            };
            /** @description `conversation_in_progress`: The learner is in another conversation, `conversationId`. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "conversation_in_progress";
                    };
                };
            };
            /** @description `body_too_large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_too_large";
                    };
                };
            };
            /** @description `content_type_unsupported`: The Content-Type is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "content_type_unsupported";
                    };
                };
            };
            /** @description `field_invalid`: The field `field` of the body is invalid. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "field_invalid";
                    };
                };
            };
            /**
             * @description `conversation_quota_reached`: The learner has talked as long as one day allows. `Retry-After` says when to come back.
             *     `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again.
             */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "conversation_quota_reached" | "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /**
             * @description `busy`: The capacity is exhausted. `Retry-After` says when to try again.
             *     `spending_limit_reached`: The service has used what operators allow it to spend.
             *     `stopping`: The task is stopping. Try again at once: another task takes over.
             */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "busy" | "spending_limit_reached" | "stopping";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    getConversation: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["ConversationId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConversationView"];
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `not_found`: The resource does not exist, or the caller has no access to it. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_found";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    deleteConversation: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["ConversationId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `not_found`: The resource does not exist, or the caller has no access to it. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_found";
                    };
                };
            };
            /**
             * @description `conversation_in_pipeline`: The conversation is still being processed.
             *     `conversation_live`: The conversation has not ended yet.
             */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "conversation_in_pipeline" | "conversation_live";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    getAssessment: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag of the response that the caller has. */
                "If-None-Match"?: string;
            };
            path: {
                id: components["schemas"]["ConversationId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    /** @description How long the response is fresh. */
                    "Cache-Control"?: string;
                    /** @description Entity tag of the content. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AssessmentView"];
                };
            };
            /** @description Unchanged: the caller has the current content. */
            304: {
                headers: {
                    /** @description How long the response is fresh. */
                    "Cache-Control"?: string;
                    /** @description Entity tag of the content. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /**
             * @description `not_assessed`: The conversation has no assessment and will not get one.
             *     `not_found`: The resource does not exist, or the caller has no access to it.
             *     `not_ready`: The resource does not exist yet. The stream of results announces it.
             */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_assessed" | "not_found" | "not_ready";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    openLiveConversation: {
        parameters: {
            query?: {
                /** @description On reconnect: the number of turns that the client has received. */
                turns?: number;
            };
            header?: never;
            path: {
                id: components["schemas"]["ConversationId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The WebSocket is open. */
            101: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /**
             * @description `invalid_request`: The request does not conform to the API.
             *     `query_invalid`: The query parameter `field` is invalid.
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "invalid_request" | "query_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `ticket_invalid`: The ticket is for another conversation, or has expired.
             *     `ticket_used`: The ticket was already used.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "ticket_invalid" | "ticket_used";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `not_found`: The resource does not exist, or the caller has no access to it. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_found";
                    };
                };
            };
            /** @description `conversation_in_progress`: The learner is in another conversation, `conversationId`. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "conversation_in_progress";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /**
             * @description `busy`: The capacity is exhausted. `Retry-After` says when to try again.
             *     `stopping`: The task is stopping. Try again at once: another task takes over.
             */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "busy" | "stopping";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    followResults: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["ConversationId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The events. The schema has the name of an event as `event` and its data as `data`. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["ResultEvent"];
                };
            };
            /** @description The client has received all events. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `not_found`: The resource does not exist, or the caller has no access to it. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_found";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `busy`: The capacity is exhausted. `Retry-After` says when to try again. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "busy";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    returnToConversation: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["ConversationId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Created. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Started"];
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `not_found`: The resource does not exist, or the caller has no access to it. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_found";
                    };
                };
            };
            /** @description `conversation_ended`: The conversation has ended. See its results. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "conversation_ended";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    getTranscript: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag of the response that the caller has. */
                "If-None-Match"?: string;
            };
            path: {
                id: components["schemas"]["ConversationId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The transcript. */
            200: {
                headers: {
                    /** @description How long the response is fresh. */
                    "Cache-Control"?: string;
                    /** @description Entity tag of the content. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TranscriptView"];
                    "text/plain": string;
                };
            };
            /** @description Unchanged: the caller has the current content. */
            304: {
                headers: {
                    /** @description How long the response is fresh. */
                    "Cache-Control"?: string;
                    /** @description Entity tag of the content. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /**
             * @description `not_found`: The resource does not exist, or the caller has no access to it.
             *     `not_ready`: The resource does not exist yet. The stream of results announces it.
             */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_found" | "not_ready";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    uploadTurn: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["ConversationId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "audio/mp3": string;
                "audio/mpeg": string;
                "audio/vnd.wave": string;
                "audio/wav": string;
                "audio/wave": string;
                "audio/x-wav": string;
            };
        };
        responses: {
            /** @description Accepted. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UploadedTurn"];
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `not_found`: The resource does not exist, or the caller has no access to it. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_found";
                    };
                };
            };
            /** @description `upload_too_slow`: The upload of the file took too long. */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "upload_too_slow";
                    };
                };
            };
            /**
             * @description `conversation_not_live`: The conversation is not live on this task.
             *     `turn_in_progress`: Another turn is being uploaded or spoken.
             */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "conversation_not_live" | "turn_in_progress";
                    };
                };
            };
            /** @description `file_too_large`: The file is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "file_too_large";
                    };
                };
            };
            /** @description `content_unsupported`: The format of the content is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "content_unsupported";
                    };
                };
            };
            /**
             * @description `audio_broken`: The file is damaged or incomplete, or its header contradicts itself.
             *     `audio_empty`: The file has no audio.
             *     `channels_unsupported`: The number of channels is not supported.
             *     `encoding_unsupported`: The encoding of the WAV file is not supported.
             *     `sample_rate_unsupported`: The sample rate is not supported.
             *     `turn_too_long`: The turn is too long.
             */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "audio_broken" | "audio_empty" | "channels_unsupported" | "encoding_unsupported" | "sample_rate_unsupported" | "turn_too_long";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `busy`: The capacity is exhausted. `Retry-After` says when to try again. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "busy";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    getTurnAudio: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["ConversationId"];
                index: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignedUrl"];
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `not_found`: The resource does not exist, or the caller has no access to it. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_found";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    getTurnRecording: {
        parameters: {
            query?: never;
            header?: {
                /** @description One range of bytes, e.g. `bytes=0-499`. Any other value is ignored. */
                Range?: string;
            };
            path: {
                id: components["schemas"]["ConversationId"];
                index: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The recording. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "audio/wav": string;
                };
            };
            /** @description The range. */
            206: {
                headers: {
                    /** @description Which bytes these are, and how many there are. */
                    "Content-Range"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `not_found`: The resource does not exist, or the caller has no access to it. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_found";
                    };
                };
            };
            /** @description `range_invalid`: No byte of the content is in the range. */
            416: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "range_invalid";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    getReference: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    listFlagged: {
        parameters: {
            query?: {
                /** @description Only conversations with this flag. */
                flag?: components["schemas"]["Flag"];
                /** @description `nextCursor` of the previous page. */
                cursor?: string;
                /** @description Maximum number of items; 20 by default. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageOfFlaggedConversation"];
                };
            };
            /** @description `query_invalid`: The query parameter `field` is invalid. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "query_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `role_missing`: The caller does not have the role `role`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "role_missing";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    listLearners: {
        parameters: {
            query?: {
                /** @description Only learners with counted activity since this time, sorted by `activity`. */
                activeSince?: string;
                /** @description Only learners of this level. */
                level?: components["schemas"]["Level"];
                /** @description Only learners whose name begins with this, case insensitive. */
                name?: string;
                /** @description Whether the lowest (`asc`) or the highest (`desc`, the default) comes first; only with `sort` or `activeSince`. */
                order?: components["schemas"]["SortOrder"];
                /**
                 * @description The order. `speech`, `overall` and `conversations` list only learners with a conversation, `overall` only those with an
                 *     assessment. Without it the order has no meaning.
                 */
                sort?: components["schemas"]["Sort"];
                /** @description `nextCursor` of the previous page. */
                cursor?: string;
                /** @description Maximum number of items; 20 by default. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All matching learners. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageOfLearnerView"];
                    "text/csv": string;
                };
            };
            /** @description `query_invalid`: The query parameter `field` is invalid. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "query_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `role_missing`: The caller does not have the role `role`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "role_missing";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    exportLearners: {
        parameters: {
            query?: {
                /** @description Only learners with counted activity since this time, sorted by `activity`. */
                activeSince?: string;
                /** @description Only learners of this level. */
                level?: components["schemas"]["Level"];
                /** @description Only learners whose name begins with this, case insensitive. */
                name?: string;
                /** @description Whether the lowest (`asc`) or the highest (`desc`, the default) comes first; only with `sort` or `activeSince`. */
                order?: components["schemas"]["SortOrder"];
                /**
                 * @description The order. `speech`, `overall` and `conversations` list only learners with a conversation, `overall` only those with an
                 *     assessment. Without it the order has no meaning.
                 */
                sort?: components["schemas"]["Sort"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All matching learners. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/csv": string;
                };
            };
            /** @description `query_invalid`: The query parameter `field` is invalid. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "query_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `role_missing`: The caller does not have the role `role`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "role_missing";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    getLearner: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LearnerView"];
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `role_missing`: The caller does not have the role `role`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "role_missing";
                    };
                };
            };
            /** @description `not_found`: The resource does not exist, or the caller has no access to it. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_found";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    listLearnerConversations: {
        parameters: {
            query?: {
                /** @description `nextCursor` of the previous page. */
                cursor?: string;
                /** @description Maximum number of items; 20 by default. */
                limit?: number;
            };
            header?: never;
            path: {
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageOfConversationSummary"];
                };
            };
            /** @description `query_invalid`: The query parameter `field` is invalid. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "query_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `role_missing`: The caller does not have the role `role`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "role_missing";
                    };
                };
            };
            /** @description `not_found`: The resource does not exist, or the caller has no access to it. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_found";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    getLearnerScores: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["UserId"];
                conversation: components["schemas"]["ConversationId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScoresView"];
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `role_missing`: The caller does not have the role `role`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "role_missing";
                    };
                };
            };
            /**
             * @description `not_assessed`: The conversation has no assessment and will not get one.
             *     `not_found`: The resource does not exist, or the caller has no access to it.
             *     `not_ready`: The resource does not exist yet. The stream of results announces it.
             */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_assessed" | "not_found" | "not_ready";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    getLearnerProgress: {
        parameters: {
            query?: {
                /** @description First day; by default 30 days up to the last day. */
                from?: string;
                /** @description Last day; by default tomorrow in UTC, which covers today in every time zone. */
                to?: string;
            };
            header?: never;
            path: {
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The days as a table. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProgressView"];
                    "text/csv": string;
                };
            };
            /** @description `query_invalid`: The query parameter `field` is invalid. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "query_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `role_missing`: The caller does not have the role `role`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "role_missing";
                    };
                };
            };
            /** @description `not_found`: The resource does not exist, or the caller has no access to it. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_found";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    listLearnerScores: {
        parameters: {
            query?: {
                /** @description `nextCursor` of the previous page. */
                cursor?: string;
                /** @description Maximum number of items; 20 by default. */
                limit?: number;
            };
            header?: never;
            path: {
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The latest 200 conversations. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageOfScoredConversation"];
                    "text/csv": string;
                };
            };
            /** @description `query_invalid`: The query parameter `field` is invalid. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "query_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `role_missing`: The caller does not have the role `role`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "role_missing";
                    };
                };
            };
            /** @description `not_found`: The resource does not exist, or the caller has no access to it. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_found";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    exportLearnerScores: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The latest 200 conversations. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/csv": string;
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `role_missing`: The caller does not have the role `role`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "role_missing";
                    };
                };
            };
            /** @description `not_found`: The resource does not exist, or the caller has no access to it. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_found";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    getMe: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag of the response that the caller has. */
                "If-None-Match"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    /** @description How long the response is fresh. */
                    "Cache-Control"?: string;
                    /** @description Entity tag of the content. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
            /** @description Unchanged: the caller has the current content. */
            304: {
                headers: {
                    /** @description How long the response is fresh. */
                    "Cache-Control"?: string;
                    /** @description Entity tag of the content. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    deleteMe: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Deletion"];
            };
        };
        responses: {
            /** @description Accepted. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeletionRequested"];
                };
            };
            /** @description `body_invalid`: The body is not valid JSON or is incomplete. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `step_up_required`: Password, and second factor where there is one, must be proved again with `/auth/step-up`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "step_up_required";
                    };
                };
            };
            /** @description `body_too_large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_too_large";
                    };
                };
            };
            /** @description `content_type_unsupported`: The Content-Type is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "content_type_unsupported";
                    };
                };
            };
            /** @description `field_invalid`: The field `field` of the body is invalid. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "field_invalid";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    changeMe: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag of the version that the change is based on, or `*` for any version. */
                "If-Match"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ProfileChange"];
            };
        };
        responses: {
            /** @description The changed account, with its new `ETag`. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
            /** @description `body_invalid`: The body is not valid JSON or is incomplete. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `profile_changed`: The profile has changed since the version in `If-Match`. */
            412: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "profile_changed";
                    };
                };
            };
            /** @description `body_too_large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_too_large";
                    };
                };
            };
            /** @description `content_type_unsupported`: The Content-Type is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "content_type_unsupported";
                    };
                };
            };
            /** @description `field_invalid`: The field `field` of the body is invalid. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "field_invalid";
                    };
                };
            };
            /** @description `if_match_missing`: `If-Match` is required: the version that the change is based on. */
            428: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "if_match_missing";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    exportMe: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The document. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Export"];
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `step_up_required`: Password, and second factor where there is one, must be proved again with `/auth/step-up`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "step_up_required";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /**
             * @description `accounts_unavailable`: The user pool is unavailable at the moment.
             *     `busy`: The capacity is exhausted. `Retry-After` says when to try again.
             */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable" | "busy";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    listSessions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionList"];
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    endOtherSessions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The other sessions have ended. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    endSession: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The session has ended. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `not_found`: The resource does not exist, or the caller has no access to it. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_found";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    getNextStep: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NextStep"];
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    getOpenApi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The document. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    listAlarms: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Alarms"];
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `role_missing`: The caller does not have the role `role`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "role_missing";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    listAlerts: {
        parameters: {
            query?: {
                /** @description `nextCursor` of the previous page. */
                cursor?: string;
                /** @description Maximum number of items; 20 by default. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageOfAlertRecord"];
                };
            };
            /** @description `query_invalid`: The query parameter `field` is invalid. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "query_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `role_missing`: The caller does not have the role `role`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "role_missing";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    getConversationPath: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: components["schemas"]["ConversationId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConversationPath"];
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `role_missing`: The caller does not have the role `role`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "role_missing";
                    };
                };
            };
            /** @description `not_found`: The resource does not exist, or the caller has no access to it. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_found";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    followOperations: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The events. The schema has the name of an event as `event` and its data as `data`. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["OpsEvent"];
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `role_missing`: The caller does not have the role `role`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "role_missing";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `busy`: The capacity is exhausted. `Retry-After` says when to try again. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "busy";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    listQueues: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queues"];
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `role_missing`: The caller does not have the role `role`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "role_missing";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    listWorkers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Workers"];
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `role_missing`: The caller does not have the role `role`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "role_missing";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    getOverview: {
        parameters: {
            query?: {
                /** @description `level` (of the conversation; the default), `picture`, or `week` (the ISO week of the learner's day, the latest first). */
                by?: components["schemas"]["Group"];
                /** @description `nextCursor` of the previous page. */
                cursor?: string;
                /** @description Maximum number of items; 20 by default. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageOfGroupSums"];
                };
            };
            /** @description `query_invalid`: The query parameter `field` is invalid. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "query_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `role_missing`: The caller does not have the role `role`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "role_missing";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    listPictures: {
        parameters: {
            query?: {
                /** @description Only pictures of this category. */
                category?: string;
            };
            header?: {
                /** @description The ETag of the response that the caller has. */
                "If-None-Match"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    /** @description How long the response is fresh. */
                    "Cache-Control"?: string;
                    /** @description Entity tag of the content. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PictureList"];
                };
            };
            /** @description Unchanged: the caller has the current content. */
            304: {
                headers: {
                    /** @description How long the response is fresh. */
                    "Cache-Control"?: string;
                    /** @description Entity tag of the content. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `query_invalid`: The query parameter `field` is invalid. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "query_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    getPicture: {
        parameters: {
            query?: {
                /** @description The level of the questions. */
                level?: components["schemas"]["Level"];
            };
            header?: {
                /** @description The ETag of the response that the caller has. */
                "If-None-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    /** @description How long the response is fresh. */
                    "Cache-Control"?: string;
                    /** @description Entity tag of the content. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PictureDetails"];
                };
            };
            /** @description Unchanged: the caller has the current content. */
            304: {
                headers: {
                    /** @description How long the response is fresh. */
                    "Cache-Control"?: string;
                    /** @description Entity tag of the content. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `query_invalid`: The query parameter `field` is invalid. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "query_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `not_found`: The resource does not exist, or the caller has no access to it. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_found";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    getPictureImage: {
        parameters: {
            query?: never;
            header?: {
                /** @description The ETag of the response that the caller has. */
                "If-None-Match"?: string;
            };
            path: {
                id: string;
                file: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The image. */
            200: {
                headers: {
                    /** @description How long the response is fresh. */
                    "Cache-Control"?: string;
                    /** @description Entity tag of the content. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content: {
                    "image/png": string;
                    "image/webp": string;
                };
            };
            /** @description Unchanged: the caller has the current content. */
            304: {
                headers: {
                    /** @description How long the response is fresh. */
                    "Cache-Control"?: string;
                    /** @description Entity tag of the content. */
                    ETag?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `not_found`: The resource does not exist, or the caller has no access to it. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "not_found";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    getProgress: {
        parameters: {
            query?: {
                /** @description First day; by default 30 days up to the last day. */
                from?: string;
                /** @description Last day; by default tomorrow in UTC, which covers today in every time zone. */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProgressView"];
                };
            };
            /** @description `query_invalid`: The query parameter `field` is invalid. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "query_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    listScores: {
        parameters: {
            query?: {
                /** @description `nextCursor` of the previous page. */
                cursor?: string;
                /** @description Maximum number of items; 20 by default. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageOfScoredConversation"];
                };
            };
            /** @description `query_invalid`: The query parameter `field` is invalid. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "query_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    report: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/csp-report": components["schemas"]["CspReport"];
                "application/json": components["schemas"]["ClientReport"];
                "application/reports+json": components["schemas"]["BrowserReport"][];
            };
        };
        responses: {
            /** @description The reports are counted. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `body_invalid`: The body is not valid JSON or is incomplete. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_invalid";
                    };
                };
            };
            /** @description `body_too_large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_too_large";
                    };
                };
            };
            /** @description `content_type_unsupported`: The Content-Type is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "content_type_unsupported";
                    };
                };
            };
            /** @description `field_invalid`: The field `field` of the body is invalid. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "field_invalid";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    followAllResults: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The events. The schema has the name of an event as `event` and its data as `data`. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["FeedEvent"];
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `role_missing`: The caller does not have the role `role`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "role_missing";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `busy`: The capacity is exhausted. `Retry-After` says when to try again. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "busy";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    getAwsCredentials: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The credentials. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AwsCredentials"];
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    answerChallenge: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChallengeResponse"];
            };
        };
        responses: {
            /** @description The learner is signed in, or another factor is required. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignInResult"];
                };
            };
            /** @description `body_invalid`: The body is not valid JSON or is incomplete. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_invalid";
                    };
                };
            };
            /** @description `challenge_ended`: The sign-in has taken too long. Start again with the password. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "challenge_ended";
                    };
                };
            };
            /** @description `account_deleted`: The deletion of the account was requested. It cannot be used any more. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted";
                    };
                };
            };
            /** @description `body_too_large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_too_large";
                    };
                };
            };
            /** @description `content_type_unsupported`: The Content-Type is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "content_type_unsupported";
                    };
                };
            };
            /**
             * @description `code_wrong`: The code is wrong or has expired.
             *     `field_invalid`: The field `field` of the body is invalid.
             *     `password_weak`: The new password breaks the rules in `detail`.
             */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "code_wrong" | "field_invalid" | "password_weak";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    confirmSignUp: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Confirm"];
            };
        };
        responses: {
            /** @description The learner can sign in. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `body_invalid`: The body is not valid JSON or is incomplete. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_invalid";
                    };
                };
            };
            /** @description `body_too_large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_too_large";
                    };
                };
            };
            /** @description `content_type_unsupported`: The Content-Type is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "content_type_unsupported";
                    };
                };
            };
            /**
             * @description `code_wrong`: The code is wrong or has expired.
             *     `field_invalid`: The field `field` of the body is invalid.
             *     `password_weak`: The new password breaks the rules in `detail`.
             */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "code_wrong" | "field_invalid" | "password_weak";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    changeEmail: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EmailAddress"];
            };
        };
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EmailChange"];
                };
            };
            /** @description `body_invalid`: The body is not valid JSON or is incomplete. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `step_up_required`: Password, and second factor where there is one, must be proved again with `/auth/step-up`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "step_up_required";
                    };
                };
            };
            /** @description `body_too_large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_too_large";
                    };
                };
            };
            /** @description `content_type_unsupported`: The Content-Type is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "content_type_unsupported";
                    };
                };
            };
            /**
             * @description `email_refused`: E-mail addresses of this domain cannot sign up.
             *     `field_invalid`: The field `field` of the body is invalid.
             */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "email_refused" | "field_invalid";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    verifyEmail: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EmailCode"];
            };
        };
        responses: {
            /** @description The address was changed. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `body_invalid`: The body is not valid JSON or is incomplete. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `step_up_required`: Password, and second factor where there is one, must be proved again with `/auth/step-up`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "step_up_required";
                    };
                };
            };
            /** @description `body_too_large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_too_large";
                    };
                };
            };
            /** @description `content_type_unsupported`: The Content-Type is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "content_type_unsupported";
                    };
                };
            };
            /**
             * @description `code_wrong`: The code is wrong or has expired.
             *     `field_invalid`: The field `field` of the body is invalid.
             */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "code_wrong" | "field_invalid";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    forgotPassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EmailAddress"];
            };
        };
        responses: {
            /** @description The request was accepted. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CodeRequested"];
                };
            };
            /** @description `body_invalid`: The body is not valid JSON or is incomplete. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_invalid";
                    };
                };
            };
            /** @description `body_too_large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_too_large";
                    };
                };
            };
            /** @description `content_type_unsupported`: The Content-Type is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "content_type_unsupported";
                    };
                };
            };
            /** @description `field_invalid`: The field `field` of the body is invalid. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "field_invalid";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    disableMfa: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The second factor is off. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `step_up_required`: Password, and second factor where there is one, must be proved again with `/auth/step-up`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "step_up_required";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    changePassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordChange"];
            };
        };
        responses: {
            /** @description The password was replaced. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `body_invalid`: The body is not valid JSON or is incomplete. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `step_up_required`: Password, and second factor where there is one, must be proved again with `/auth/step-up`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "step_up_required";
                    };
                };
            };
            /** @description `body_too_large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_too_large";
                    };
                };
            };
            /** @description `content_type_unsupported`: The Content-Type is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "content_type_unsupported";
                    };
                };
            };
            /**
             * @description `field_invalid`: The field `field` of the body is invalid.
             *     `password_weak`: The new password breaks the rules in `detail`.
             */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "field_invalid" | "password_weak";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    changePhone: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PhoneNumber"];
            };
        };
        responses: {
            /** @description The code was sent. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `body_invalid`: The body is not valid JSON or is incomplete. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `step_up_required`: Password, and second factor where there is one, must be proved again with `/auth/step-up`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "step_up_required";
                    };
                };
            };
            /** @description `body_too_large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_too_large";
                    };
                };
            };
            /** @description `content_type_unsupported`: The Content-Type is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "content_type_unsupported";
                    };
                };
            };
            /** @description `field_invalid`: The field `field` of the body is invalid. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "field_invalid";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    enableSms: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["FactorCode"];
            };
        };
        responses: {
            /** @description Text messages are the second factor. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RecoveryCodes"];
                };
            };
            /** @description `body_invalid`: The body is not valid JSON or is incomplete. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `step_up_required`: Password, and second factor where there is one, must be proved again with `/auth/step-up`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "step_up_required";
                    };
                };
            };
            /** @description `body_too_large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_too_large";
                    };
                };
            };
            /** @description `content_type_unsupported`: The Content-Type is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "content_type_unsupported";
                    };
                };
            };
            /**
             * @description `code_wrong`: The code is wrong or has expired.
             *     `field_invalid`: The field `field` of the body is invalid.
             */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "code_wrong" | "field_invalid";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    newRecoveryCodes: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The new codes. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RecoveryCodes"];
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `step_up_required`: Password, and second factor where there is one, must be proved again with `/auth/step-up`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "step_up_required";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    refreshSession: {
        parameters: {
            query?: never;
            header?: {
                /** @description Always `1`. It proves that the page may send the request. */
                "x-nova-csrf"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A new access token. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Access"];
                };
            };
            /** @description `cookie_ambiguous`: The request has several session cookies. Delete the cookies of this site and sign in again. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "cookie_ambiguous";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `session_missing`: The session cookie is missing. Sign in.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "session_missing";
                    };
                };
            };
            /**
             * @description `csrf_header_missing`: A request with the session cookie requires the header `x-nova-csrf: 1`.
             *     `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "csrf_header_missing" | "account_deleted";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    resendCode: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EmailAddress"];
            };
        };
        responses: {
            /** @description The request was accepted. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CodeRequested"];
                };
            };
            /** @description `body_invalid`: The body is not valid JSON or is incomplete. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_invalid";
                    };
                };
            };
            /** @description `body_too_large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_too_large";
                    };
                };
            };
            /** @description `content_type_unsupported`: The Content-Type is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "content_type_unsupported";
                    };
                };
            };
            /** @description `field_invalid`: The field `field` of the body is invalid. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "field_invalid";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    resetPassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordReset"];
            };
        };
        responses: {
            /** @description The password was replaced. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `body_invalid`: The body is not valid JSON or is incomplete. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_invalid";
                    };
                };
            };
            /** @description `body_too_large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_too_large";
                    };
                };
            };
            /** @description `content_type_unsupported`: The Content-Type is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "content_type_unsupported";
                    };
                };
            };
            /**
             * @description `code_wrong`: The code is wrong or has expired.
             *     `field_invalid`: The field `field` of the body is invalid.
             *     `password_weak`: The new password breaks the rules in `detail`.
             */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "code_wrong" | "field_invalid" | "password_weak";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    signIn: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SignIn"];
            };
        };
        responses: {
            /** @description The learner is signed in, or another factor is required. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignInResult"];
                };
            };
            /** @description `body_invalid`: The body is not valid JSON or is incomplete. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_invalid";
                    };
                };
            };
            /** @description `credentials_wrong`: The e-mail or the password is wrong, or the e-mail address was never confirmed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "credentials_wrong";
                    };
                };
            };
            /**
             * @description `password_reset_required`: The password must be reset first, with a code by e-mail.
             *     `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "password_reset_required" | "account_deleted";
                    };
                };
            };
            /** @description `body_too_large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_too_large";
                    };
                };
            };
            /** @description `content_type_unsupported`: The Content-Type is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "content_type_unsupported";
                    };
                };
            };
            /**
             * @description `code_wrong`: The code is wrong or has expired.
             *     `field_invalid`: The field `field` of the body is invalid.
             */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "code_wrong" | "field_invalid";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    signOut: {
        parameters: {
            query?: never;
            header?: {
                /** @description Always `1`. It proves that the page may send the request. */
                "x-nova-csrf"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The session has ended. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `cookie_ambiguous`: The request has several session cookies. Delete the cookies of this site and sign in again. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "cookie_ambiguous";
                    };
                };
            };
            /** @description `csrf_header_missing`: A request with the session cookie requires the header `x-nova-csrf: 1`. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "csrf_header_missing";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    signOutEverywhere: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The sessions have ended. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    signUp: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EmailAddress"];
            };
        };
        responses: {
            /** @description The request was accepted. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CodeRequested"];
                };
            };
            /** @description `body_invalid`: The body is not valid JSON or is incomplete. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_invalid";
                    };
                };
            };
            /** @description `body_too_large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_too_large";
                    };
                };
            };
            /** @description `content_type_unsupported`: The Content-Type is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "content_type_unsupported";
                    };
                };
            };
            /**
             * @description `email_refused`: E-mail addresses of this domain cannot sign up.
             *     `field_invalid`: The field `field` of the body is invalid.
             */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "email_refused" | "field_invalid";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    stepUp: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["StepUp"];
            };
        };
        responses: {
            /** @description Success. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StepUpResult"];
                };
            };
            /** @description `body_invalid`: The body is not valid JSON or is incomplete. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_invalid";
                    };
                };
            };
            /**
             * @description `challenge_ended`: The sign-in has taken too long. Start again with the password.
             *     `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "challenge_ended" | "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `password_reset_required`: The password must be reset first, with a code by e-mail.
             *     `password_wrong`: The current password is wrong.
             *     `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "password_reset_required" | "password_wrong" | "account_deleted";
                    };
                };
            };
            /** @description `body_too_large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_too_large";
                    };
                };
            };
            /** @description `content_type_unsupported`: The Content-Type is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "content_type_unsupported";
                    };
                };
            };
            /**
             * @description `code_wrong`: The code is wrong or has expired.
             *     `field_invalid`: The field `field` of the body is invalid.
             */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "code_wrong" | "field_invalid";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    newTotpSecret: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The secret. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TotpSecret"];
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `step_up_required`: Password, and second factor where there is one, must be proved again with `/auth/step-up`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "step_up_required";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    enableTotp: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["FactorCode"];
            };
        };
        responses: {
            /** @description The app is the second factor. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RecoveryCodes"];
                };
            };
            /** @description `body_invalid`: The body is not valid JSON or is incomplete. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_invalid";
                    };
                };
            };
            /**
             * @description `session_ended`: The session was signed out or has expired. Sign in again.
             *     `token_expired`: The access token has expired.
             *     `token_invalid`: The access token is not valid.
             *     `token_missing`: The access token is missing.
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "session_ended" | "token_expired" | "token_invalid" | "token_missing";
                    };
                };
            };
            /**
             * @description `account_deleted`: The deletion of the account was requested. It cannot be used any more.
             *     `step_up_required`: Password, and second factor where there is one, must be proved again with `/auth/step-up`.
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "account_deleted" | "step_up_required";
                    };
                };
            };
            /** @description `body_too_large`: The body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "body_too_large";
                    };
                };
            };
            /** @description `content_type_unsupported`: The Content-Type is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "content_type_unsupported";
                    };
                };
            };
            /**
             * @description `code_wrong`: The code is wrong or has expired.
             *     `field_invalid`: The field `field` of the body is invalid.
             */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "code_wrong" | "field_invalid";
                    };
                };
            };
            /** @description `too_many_requests`: A rate limit is exceeded. `Retry-After` says when to try again. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "too_many_requests";
                    };
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description `accounts_unavailable`: The user pool is unavailable at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "accounts_unavailable";
                    };
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
    getHealth: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The task accepts conversations. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description `internal_error`: An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "internal_error";
                    };
                };
            };
            /** @description The task is shutting down. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description `timeout`: The response took too long. */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"] & {
                        /** @enum {unknown} */
                        code?: "timeout";
                    };
                };
            };
        };
    };
}
