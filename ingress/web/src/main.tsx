import { createRoot } from "react-dom/client";
import { App } from "./app";
import { keepInstallOffer } from "./offline/install";
import { registerServiceWorker } from "./offline/updates";
import "./styles/base.css";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no element #root");
keepInstallOffer();
registerServiceWorker();
createRoot(root).render(<App />);
