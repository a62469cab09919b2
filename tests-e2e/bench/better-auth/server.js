// The yardstick of a session check: better-auth as its documentation sets it up, with its tables in a SQLite file.
// The cache of sessions in a cookie stays off, as it is by default: each check asks the database, as ours does.
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import Database from "better-sqlite3";

const [port, file] = process.argv.slice(2);
const database = new Database(file);
database.pragma("journal_mode = WAL");
const auth = betterAuth({
  baseURL: `http://127.0.0.1:${port}`,
  secret: process.env.BETTER_AUTH_SECRET,
  database,
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
});
await (await getMigrations(auth.options)).runMigrations();
const answer = toNodeHandler(auth);
createServer((request, response) => {
  if (request.url === "/readyz") response.end("ready");
  else answer(request, response);
}).listen(Number(port), "127.0.0.1");
