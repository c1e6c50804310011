export {
  type EngineAnswer,
  type EngineCall,
  EngineClient,
  EngineRefusal,
  EngineUnreachable,
  isEngineError,
} from "./engine-client.ts";
