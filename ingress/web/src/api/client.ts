/** The HTTP client of the API: typed by the published OpenAPI document, with the session's token and typed errors. */

import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./generated/openapi";
import { accessToken, renew } from "./session";
import { stepUp } from "./step-up";

export type Schemas = components["schemas"];
/** A problem document. A later version of the service may add codes. */
export type Problem = Omit<Schemas["Problem"], "code"> & { readonly code: string };

/** A response that is a problem document, or no response (`code` is `offline`). */
export class ApiError extends Error {
  readonly problem: Partial<Problem>;
  readonly status: number;
  /** Seconds to wait, from `Retry-After`. */
  readonly retryAfter: number | null;

  constructor(problem: Partial<Problem>, status: number, retryAfter: number | null) {
    super(problem.detail ?? problem.code ?? `HTTP ${status}`);
    this.name = "ApiError";
    this.problem = problem;
    this.status = status;
    this.retryAfter = retryAfter;
  }

  get code(): string {
    return this.problem.code ?? "offline";
  }
}

/** Codes of an access token that a renewal replaces, or that a session left behind which has ended since. */
const STALE = new Set<unknown>(["token_expired", "token_invalid", "session_ended"]);

const authorize: Middleware = {
  async onRequest({ request }) {
    if (new URL(request.url).pathname.startsWith("/api/") || needsToken(request.url)) {
      const token = await accessToken();
      if (token !== "") request.headers.set("authorization", `Bearer ${token}`);
    }
    return request;
  },
};

const OWN_ACCOUNT =
  /\/auth\/(step-up|password|(email|phone|totp)(\/verify)?|mfa\/off|recovery-codes|sign-out-everywhere)$/u;

/** Requests of `/auth` that act on the signed-in account. */
function needsToken(url: string): boolean {
  return OWN_ACCOUNT.test(new URL(url).pathname);
}

const client = createClient<paths>({ baseUrl: "/", credentials: "same-origin" });
client.use(authorize);
export const api = client;

/** The body of a successful response; throws `ApiError` for any other. */
export async function body<T>(
  request: () => Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<NonNullable<T>> {
  let result = await attempt(request);
  if (result.response.status === 401 && STALE.has(codeOf(result.error)) && (await renew())) {
    result = await attempt(request);
  }
  if (codeOf(result.error) === "step_up_required" && (await stepUp())) result = await attempt(request);
  if (result.response.ok) return result.data as NonNullable<T>;
  const problem = typeof result.error === "object" && result.error !== null ? (result.error as Partial<Problem>) : {};
  const retry = Number(result.response.headers.get("retry-after"));
  throw new ApiError(
    { code: "unexpected", ...problem },
    result.response.status,
    Number.isFinite(retry) && retry > 0 ? retry : null,
  );
}

async function attempt<R>(request: () => Promise<R>): Promise<R> {
  try {
    return await request();
  } catch (error) {
    if (error instanceof TypeError) throw new ApiError({}, 0, null);
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}
