import { expect, it } from "vitest";
import { askWith, stepUp } from "./step-up";

it("asks once for all who wait, and nobody when no dialog is there", async () => {
  expect(await stepUp()).toBe(false);
  let asked = 0;
  const leave = askWith(() => {
    asked += 1;
    return Promise.resolve(true);
  });
  expect(await Promise.all([stepUp(), stepUp()])).toEqual([true, true]);
  expect(asked).toBe(1);
  expect(await stepUp()).toBe(true);
  expect(asked).toBe(2);
  leave();
  expect(await stepUp()).toBe(false);
});
