import { createRoot } from "react-dom/client";
import { startReports } from "./api/reports";
import { App } from "./app";
import { keepInstallOffer } from "./offline/install";
import { registerServiceWorker } from "./offline/updates";
import "./styles/base.css";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no element #root");
startReports();
keepInstallOffer();
registerServiceWorker();
createRoot(root).render(<App />);
