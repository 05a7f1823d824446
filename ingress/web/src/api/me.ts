/** The learner's account with its roles and the version that a change is based on. */

import { useQuery } from "@tanstack/react-query";
import { api, body, type Schemas } from "./client";

export interface Account {
  readonly profile: Schemas["Me"];
  readonly etag: string;
}

export async function loadMe(): Promise<Account> {
  let etag = "";
  const profile = await body(async () => {
    const result = await api.GET("/api/me");
    etag = result.response.headers.get("etag") ?? "";
    return result;
  });
  return { profile, etag };
}

export function useMe() {
  return useQuery({ queryKey: ["me"], queryFn: loadMe });
}
