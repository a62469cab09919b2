// A frontend of its own: register, log in, stay signed in over several tabs, log out. docs/your-frontend.md explains it.

const gateway = "http://127.0.0.1:8000";
// On the gateway's own origin the session is in cookies that no script sees; elsewhere this page keeps the tokens.
const usesTokens = location.origin !== gateway;

const session = {
  read: () => JSON.parse(localStorage.getItem("session") ?? "null"),
  save: ({ access_token, refresh_token }) => localStorage.setItem("session", JSON.stringify({ access_token, refresh_token })),
  forget: () => localStorage.removeItem("session"),
};

/** Send one request. Resolves to {ok, status, body, retryAfter}; status 0: nothing answered, or not to this origin. */
async function send(method, path, { body, headers = {}, token } = {}) {
  const request = { method, headers: { Accept: "application/json", ...headers } };
  if (token) request.headers.Authorization = `Bearer ${token}`;
  if (body) {
    request.headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  try {
    const answer = await fetch(gateway + path, request);
    const text = await answer.text();
    return {
      ok: answer.ok,
      status: answer.status,
      body: text ? JSON.parse(text) : {},
      retryAfter: Number(answer.headers.get("Retry-After")) || 0,
    };
  } catch {
    return { ok: false, status: 0, body: { detail: "Nothing answered. Try again." }, retryAfter: 0 };
  }
}

/** Change the tokens for a new pair, because an access token was refused. One tab asks; others find that it was done. */
function refresh(refused) {
  return navigator.locks.request("refresh", async () => {
    const tokens = session.read();
    if (tokens?.access_token !== refused) return; // Another call or tab was first.
    const answer = await send("POST", "/api/v1/tokens/refresh", { body: { refresh_token: tokens.refresh_token } });
    if (answer.ok) session.save(answer.body);
    else if (answer.status === 401) session.forget();
    return answer;
  });
}

/** Call the API as the user who is signed in; a 401 is answered by one refresh and one more try. */
async function call(method, path, options = {}) {
  if (!usesTokens) return send(method, path, options); // The gateway refreshes cookies on the way.
  const token = session.read()?.access_token;
  const answer = await send(method, path, { ...options, token });
  if (!token || answer.status !== 401 || answer.body.code !== "unauthenticated") return answer;
  const refreshed = await refresh(token);
  const fresh = session.read()?.access_token;
  if (fresh && fresh !== token) return send(method, path, { ...options, token: fresh });
  return refreshed ?? answer; // A refresh without an answer is no end of the session.
}

const [signIn, signedIn] = [document.getElementById("sign-in"), document.getElementById("signed-in")];
const field = (name) => signIn.elements[name].value.trim();
let captcha = null; // The last one that was issued.
let idempotencyKey = "";
let captchaIsRequired = false; // For a password, after several wrong ones.

function say({ body, retryAfter }) {
  const fields = (body.errors ?? []).map(({ field, detail }) => `${field}: ${detail}`);
  const wait = retryAfter ? [`Wait ${retryAfter} seconds.`] : [];
  document.getElementById("message").textContent = [body.detail, ...fields, ...wait].join(" ");
}

async function renewCaptcha(kind = "picture") {
  const answer = await send("POST", "/api/v1/captchas", { body: { kind } });
  if (!answer.ok) return say(answer);
  captcha = answer.body;
  idempotencyKey = crypto.randomUUID(); // A new captcha is a new wish; a repeated request is the same one.
  const picture = signIn.querySelector("img");
  picture.hidden = kind === "pow";
  if (kind === "picture") picture.src = `${gateway}${captcha.image_url}?scale=2`;
  signIn.elements.captcha_text.value = kind === "pow" ? await solve(captcha) : "";
}

/** The proof of work: count until SHA-256 of "id:number" is the target. */
async function solve({ id, challenge: { target, numbers } }, step = 4096) {
  const hash = (number) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(`${id}:${number}`));
  const goal = BigInt(`0x${target.slice(0, 16)}`);
  for (let first = 0; first < numbers; first += step) {
    const digests = await Promise.all(Array.from({ length: step }, (_, index) => hash(first + index)));
    const found = digests.findIndex((digest) => new DataView(digest).getBigUint64(0) === goal);
    if (found >= 0) return first + found;
  }
}

/** Ask for a code. Without an answer the same request is sent again: its key keeps it from being a second text. */
async function sendCode(purpose = "register") {
  const body = { mobile: field("mobile"), purpose, captcha_id: captcha.id, captcha_text: field("captcha_text") };
  const headers = { "Idempotency-Key": idempotencyKey };
  let answer = await send("POST", "/api/v1/sms-codes", { body, headers });
  if (answer.status === 0) answer = await send("POST", "/api/v1/sms-codes", { body, headers });
  say(answer.ok ? { body: { detail: "A code is on its way." } } : answer);
  if (answer.ok) countDown(answer.body.resend_after);
  else if (answer.status === 429) countDown(answer.retryAfter);
  else await renewCaptcha(); // A captcha is good for one try.
}

function countDown(seconds) {
  const [button, end] = [signIn.elements.send, Date.now() + seconds * 1000];
  button.disabled = true;
  const timer = setInterval(() => {
    const left = Math.ceil((end - Date.now()) / 1000);
    button.textContent = left > 0 ? `Again in ${left} s` : "Text me a code";
    if (left > 0) return;
    clearInterval(timer);
    button.disabled = false;
    renewCaptcha();
  }, 500);
}

/** Start a session: register (/api/v1/users), or log in (/api/v1/sessions). */
async function enter(path, body) {
  const answer = await send("POST", path, { body });
  if (answer.ok && usesTokens) session.save(answer.body);
  if (answer.ok) return show();
  say(answer);
  captchaIsRequired ||= answer.body.code === "captcha_required";
  if (captchaIsRequired) await renewCaptcha();
}

const register = () =>
  enter("/api/v1/users", { mobile: field("mobile"), sms_code: field("sms_code"), password: field("password") });

function logIn() {
  const answered = captchaIsRequired && { captcha_id: captcha.id, captcha_text: field("captcha_text") };
  return enter("/api/v1/sessions", { mobile: field("mobile"), password: field("password"), ...answered });
}

async function logOut() {
  const answer = await call("DELETE", "/api/v1/sessions/current");
  if (!answer.ok && answer.status !== 401) return say(answer); // The session goes on: the user must know.
  session.forget();
  await show();
}

/** Show who is signed in, or the form to sign in. */
async function show() {
  const answer = await call("GET", "/api/v1/users/me");
  if (answer.status === 401) session.forget();
  if (!answer.ok && answer.status !== 401) return say(answer);
  signedIn.hidden = !answer.ok;
  signIn.hidden = answer.ok;
  say(answer.ok ? { body: {} } : answer);
  if (answer.ok) signedIn.elements.nick_name.value = answer.body.nick_name;
  else if (!captcha) await renewCaptcha();
}

const on = (form, type, name, action) =>
  (form.elements[name] ?? form).addEventListener(type, (event) => {
    event.preventDefault();
    action();
  });
on(signIn, "click", "renew", renewCaptcha);
on(signIn, "click", "compute", () => renewCaptcha("pow"));
on(signIn, "click", "send", sendCode);
on(signIn, "click", "register", register);
on(signIn, "submit", "", logIn);
on(signedIn, "click", "show", show);
on(signedIn, "submit", "", logOut);
addEventListener("storage", ({ newValue, oldValue }) => (newValue && oldValue) || show()); // Another tab came or left.
show();
