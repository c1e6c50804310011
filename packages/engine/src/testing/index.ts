export { FakeEngineServer, json } from "./fake-engine-server.ts";
