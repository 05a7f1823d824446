// An operator in a real browser: sees that a worker has stopped, that all is well again, and the path of a conversation.
//
// usage: node e2e/operator.mjs URL EMAIL PASSWORD ALARM
//   ALARM  the alarm that is raised, and ends after this has printed `raised`

import { accessible, browser, signIn } from "./chromium.mjs";

const [url, email, password, alarm] = process.argv.slice(2);

await browser([], async (page) => {
  await page.goto(`${url}/operation`);
  await signIn(page, email, password);
  await page.getByRole("heading", { name: "Operation" }).waitFor();
  await page.getByText("Nothing is wrong.").waitFor();
  await accessible(page, "operation");
  console.log("well");
  await page.getByRole("heading", { name: `The alarm ${alarm} is raised` }).waitFor();
  await accessible(page, "operation with an alarm");
  console.log("raised");
  await page.getByText("Nothing is wrong.").waitFor();
  console.log("recovered");
  await page.getByRole("link", { name: "Show its path" }).first().click();
  await page.getByText("It has passed every stage.").waitFor();
  await accessible(page, "path of a conversation");
  console.log("path");
});
