// An Express service behind the gateway: it reads who sends a request, and refuses everything else.
import express from "express";
import { createRemoteJWKSet, jwtVerify } from "jose";

const rules = { algorithms: ["ES256"], audience: "express-orders", issuer: "xinjing-gateway", typ: "identity+jwt" };
const keys = createRemoteJWKSet(new URL("/.well-known/gateway-jwks.json", process.env.GATEWAY_URL));
const app = express();

app.use(async (request, response, next) => {
  try {
    request.user = (await jwtVerify(request.get("X-Identity") ?? "", keys, rules)).payload;
  } catch {
    return response.sendStatus(401);
  }
  next();
});

app.get("/examples/express/*rest", (request, response) => {
  response.json({ path: request.params.rest.join("/"), user: request.user.sub, roles: request.user.roles });
});

app.listen(process.env.PORT, "127.0.0.1");
