/** What the service says of itself before the sign-in: choices, limits, and whether its models are simulated. */

import { useQuery } from "@tanstack/react-query";
import { api, body, type Schemas } from "./client";

export type Config = Schemas["ServiceConfig"];

/** `undefined` until it has arrived. It does not change while the page is open. */
export function useConfig(): Config | undefined {
  const { data } = useQuery({
    queryKey: ["config"],
    queryFn: () => body(() => api.GET("/api/config")),
    staleTime: Infinity,
  });
  return data;
}
