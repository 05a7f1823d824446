// The network between browser and service, which can fail, and can serve a script of the test as a file of the service: the
// page's policy allows no other origin, and a browser's own interception misses worklets. Chromium's own offline mode keeps open
// WebSockets.

import net from "node:net";

export class Network {
  #sockets = new Set();
  #down = false;
  #service;
  #scripts;
  #server = net.createServer((client) => {
    if (this.#down) {
      client.destroy();
      return;
    }
    const { hostname, port } = new URL(this.#service);
    const server = net.connect(Number(port), hostname);
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ]) {
      this.#sockets.add(socket);
      // A browser sends one request after the other, so each begins a chunk.
      socket.on("data", (chunk) => {
        const script = socket === client ? this.#script(chunk) : undefined;
        if (script === undefined) other.write(chunk);
        else client.write(script);
      });
      socket.on("end", () => other.end());
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  });

  /** `scripts` are texts by their paths. */
  constructor(service, scripts = {}) {
    this.#service = service;
    this.#scripts = scripts;
  }

  /** Returns the URL at which the browser reaches the service. */
  async listen() {
    await new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** The response to a request for one of the scripts. */
  #script(chunk) {
    const [, path] = /^GET (\S+) /u.exec(chunk.subarray(0, 200).toString("latin1")) ?? [];
    const body = this.#scripts[path];
    if (body === undefined) return undefined;
    return `HTTP/1.1 200 OK\r\ncontent-type: text/javascript\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  }

  fail() {
    this.#down = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  recover() {
    this.#down = false;
  }

  close() {
    this.fail();
    this.#server.close();
  }
}
