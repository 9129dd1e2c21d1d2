// Clients of the published SDK: one way to make them for every script, encoding and transport.

import { Centrifuge as JsonClient } from "centrifuge";
import { Centrifuge as ProtobufClient } from "centrifuge/build/protobuf";
import { EventSource } from "eventsource";
import WebSocket from "ws";
import { options } from "./common.mjs";

/** How values are carried as data of publications in an encoding. */
export function codec(encoding) {
  const isProtobuf = encoding === "protobuf";
  return {
    encode: (value) => (isProtobuf ? new TextEncoder().encode(JSON.stringify(value)) : value),
    decode: (data) => (isProtobuf ? JSON.parse(new TextDecoder().decode(data)) : data),
  };
}

/** A kind of WebSocket that offers compression or does not; `opened` gets what was negotiated. */
export const socketKind = (perMessageDeflate, opened = () => {}) => class extends WebSocket {
  constructor(address, protocols) {
    super(address, protocols, { perMessageDeflate });
    this.on("open", () => opened(this.extensions));
  }
};

/** A client, not yet connected, that tries `transports` in their order. `more` are options of the SDK that this one needs. */
export function newClient({
  transport = "websocket", transports = [transport], encoding, deflate = false, address = options.address, ...more
}) {
  const Client = encoding === "protobuf" ? ProtobufClient : JsonClient;
  const endpoints = transports.map((name) => ({
    transport: name,
    endpoint: `${name === "websocket" ? "ws" : "http"}://${address}/connection/${name}`,
  }));
  // Where there is no choice, most applications give an address alone.
  const endpoint = transports.join() === "websocket" ? endpoints[0].endpoint : endpoints;
  return new Client(endpoint, {
    websocket: socketKind(deflate),
    eventsource: EventSource,
    emulationEndpoint: `http://${address}/emulation`,
    token: options.token,
    ...more,
  });
}
