// The pages' only script: custom elements that bring forms and buttons of the templates to life.
// Texts stand in the templates (data-…), never here. No markup is made from strings: Trusted Types refuse it.

const SECONDS_PER_MINUTE = 60;

// Which field a problem is about when its code says it, because the problem then names no fields.
const FIELD_OF_CODE = {
  captcha_expired: "captcha_text",
  captcha_required: "captcha_text",
  captcha_wrong: "captcha_text",
  mobile_invalid: "mobile",
  mobile_taken: "mobile",
  nick_name_taken: "nick_name",
  sms_code_expired: "sms_code",
  sms_code_wrong: "sms_code",
};

/** Call the API with one JSON body. Resolves to {ok, status, body, retryAfter}; status 0 means no network. */
async function call(method, url, body) {
  const request = { method, headers: { Accept: "application/json" } };
  if (body !== undefined) {
    request.headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  try {
    const answer = await fetch(url, request);
    const text = await answer.text();
    const isJson = /json/.test(answer.headers.get("Content-Type") ?? "");
    return {
      ok: answer.ok,
      status: answer.status,
      body: isJson && text ? JSON.parse(text) : {},
      retryAfter: Number(answer.headers.get("Retry-After")) || 0,
    };
  } catch {
    return { ok: false, status: 0, body: {}, retryAfter: 0 };
  }
}

/** Say in Chinese why a call failed. */
function reasonOf(answer) {
  const { networkError, serverError } = document.body.dataset;
  return answer.status === 0 ? networkError : (answer.body.errmsg ?? serverError);
}

/** Write a wait in the words of an element: {n} seconds when it is short, {n} minutes when it is long. */
function waitText({ seconds, minutes }, left) {
  return left > 2 * SECONDS_PER_MINUTE
    ? minutes.replace("{n}", Math.ceil(left / SECONDS_PER_MINUTE))
    : seconds.replace("{n}", left);
}

// A worker needs an address that Trusted Types believe: our static files alone.
const workerAddresses = globalThis.trustedTypes?.createPolicy("workers", {
  createScriptURL(address) {
    if (!/^\/static\/[\w.]+$/.test(address)) throw new TypeError("not one of our static files");
    return address;
  },
});

/**
 * A captcha and its answer: a picture to look at, a sound to listen to, or work for the device (kind "pow").
 * A captcha is good for one try, so others call load() after each.
 */
class Captcha extends HTMLElement {
  #generation = 0;
  #expiry;
  #kind = "picture";
  #worker = null;
  captchaId = null;

  connectedCallback() {
    this.picture = this.querySelector("img");
    this.input = this.querySelector("input");
    this.label = this.querySelector("label");
    this.offer = this.querySelector("[data-offer]");
    this.sound = this.querySelector("audio");
    this.progress = this.querySelector("progress");
    this.status = this.querySelector("[role=status]");
    this.#connectButtons();
    this.#connectSound();
    // No captcha is spent on readers who never open the form.
    new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting) && this.captchaId === null) this.load();
    }).observe(this);
  }

  #connectButtons() {
    const button = (name) => this.querySelector(`[data-do=${name}]`);
    [this.listenButton, this.computeButton, this.stopButton] = ["listen", "compute", "stop"].map(button);
    button("renew").addEventListener("click", async () => {
      if (await this.load()) this.input.focus();
    });
    this.listenButton.addEventListener("click", () => {
      if (this.sound.paused) this.#play();
      else this.sound.pause();
    });
    this.computeButton.addEventListener("click", () => this.load("pow"));
    this.stopButton.addEventListener("click", () => this.load("picture"));
  }

  #connectSound() {
    const { listen, listening } = this.listenButton.dataset;
    for (const event of ["play", "pause"]) {
      this.sound.addEventListener(event, () => {
        this.listenButton.textContent = this.sound.paused ? listen : listening;
      });
    }
    this.closest("dialog").addEventListener("close", () => this.sound.pause());
  }

  /** Get a new captcha, of the kind that the reader used last if none is said; false if there is none. */
  async load(kind = this.#kind) {
    const generation = this.#forget();
    this.#kind = kind;
    this.#show(kind);
    const answer = await call("POST", "/api/v1/captchas", { kind });
    if (generation !== this.#generation) return false;
    if (!answer.ok) {
      this.#show("picture");
      this.picture.hidden = true;
      this.captchaId = null;
      this.closest("x-form").fail(answer, { focus: false });
      return false;
    }
    this.captchaId = answer.body.id;
    this.#expiry = setTimeout(() => this.#renew(), answer.body.expires_in * 1000);
    if (kind === "pow") this.#compute(answer.body);
    else this.#present(answer.body);
    return true;
  }

  /** Whether there is an answer to send. If not, the reader is told what is missing, or gets a new captcha. */
  isAnswered() {
    if (this.#worker) {
      this.status.textContent = this.dataset.patience;
      return false;
    }
    // Asked for here only: to submit the whole form may need an SMS code, and no captcha any more.
    const { required } = this.input;
    this.input.required = true;
    const complete = this.input.reportValidity();
    this.input.required = required;
    if (complete && !this.captchaId) this.load();
    return complete && Boolean(this.captchaId);
  }

  /** Take the used captcha away; the next one comes when a code may be asked for again. */
  spend() {
    this.#forget();
    this.#show("picture");
    this.input.disabled = true;
    this.offer.hidden = true;
    this.picture.hidden = true;
  }

  #renew() {
    if (this.checkVisibility()) {
      this.load();
    } else {
      this.#forget();
      this.captchaId = null;
    }
  }

  /** End all that belongs to the captcha before; what is still under way for it finds another generation. */
  #forget() {
    clearTimeout(this.#expiry);
    this.#worker?.terminate();
    this.#worker = null;
    this.sound.pause();
    this.status.textContent = "";
    this.input.value = "";
    this.captchaId = "";
    return ++this.#generation;
  }

  #show(kind) {
    const [gone, shown] = kind === "pow" ? [this.computeButton, this.stopButton] : [this.stopButton, this.computeButton];
    const isFocused = document.activeElement === gone;
    for (const part of this.querySelectorAll("[data-kind]")) part.hidden = part.dataset.kind !== kind;
    this.offer.hidden = false;
    if (isFocused) shown.focus(); // Without it the keyboard would be back at the top of the page.
    this.input.disabled = kind === "pow"; // What the device found is not for the reader to check.
    this.progress.value = 0;
    this.stopButton.textContent = this.stopButton.dataset.stop;
  }

  #present({ content, image_url: image, audio_url: audio }) {
    const question = this.dataset[content] ?? this.dataset.text;
    this.label.textContent = question;
    this.input.placeholder = question;
    this.input.inputMode = content === "arithmetic" ? "numeric" : "text";
    this.picture.src = `${image}?scale=2`; // Sharp on dense screens, and it is shown larger than it is drawn.
    this.picture.hidden = false;
    this.listenButton.hidden = !audio;
    if (audio) this.sound.src = `${audio}?lang=${document.documentElement.lang.split("-")[0]}`;
  }

  async #play() {
    this.status.textContent = "";
    if (this.sound.error) this.sound.load(); // Or it would not try again.
    this.sound.currentTime = 0;
    try {
      await this.sound.play();
    } catch (error) {
      if (error.name === "AbortError") return; // By pause().
      this.sound.pause();
      this.status.textContent = this.dataset.silent;
    }
  }

  #compute({ id, challenge }) {
    this.status.textContent = this.dataset.computing;
    const address = this.dataset.worker;
    this.#worker = new Worker(workerAddresses?.createScriptURL(address) ?? address);
    this.#worker.onmessage = ({ data: { tried, number } }) => {
      if (number === undefined) this.progress.value = tried / challenge.numbers;
      else this.#computed(number);
    };
    this.#worker.onerror = () => this.#computed(null);
    this.#worker.postMessage({ id, target: challenge.target, numbers: challenge.numbers });
  }

  #computed(number) {
    this.#worker.terminate();
    this.#worker = null;
    if (number === null) {
      this.load("picture");
      this.status.textContent = this.dataset.unsolved;
      return;
    }
    this.input.value = String(number);
    this.progress.value = 1;
    this.status.textContent = this.dataset.computed;
    this.stopButton.textContent = this.stopButton.dataset.picture;
  }
}

/** The SMS code field with the button that asks for a code and counts down to the next try. */
class SmsCode extends HTMLElement {
  #timer;
  #sentTo = null;

  connectedCallback() {
    this.input = this.querySelector("input");
    this.button = this.querySelector("button");
    this.status = this.querySelector("[role=status]");
    this.form = this.closest("form");
    this.captcha = this.form.querySelector("x-captcha");
    this.button.addEventListener("click", () => this.#send());
    // The wait belongs to one mobile: who mistyped theirs may ask again at once.
    this.form.elements.mobile.addEventListener("change", () => {
      if (this.#sentTo !== null && this.#sentTo !== this.form.elements.mobile.value) this.#endWait();
    });
  }

  async #send() {
    const { mobile } = this.form.elements;
    if (!mobile.reportValidity() || !this.captcha.isAnswered()) return;
    this.button.disabled = true;
    this.closest("x-form").clear();
    const answer = await call("POST", "/api/v1/sms-codes", {
      mobile: mobile.value.trim(),
      purpose: this.dataset.purpose,
      captcha_id: this.captcha.captchaId,
      captcha_text: this.captcha.input.value.trim(),
    });
    this.button.disabled = false;
    if (answer.ok) this.#sent(mobile.value, answer.body.resend_after);
    else await this.#refused(answer);
  }

  #sent(mobile, seconds) {
    this.#sentTo = mobile;
    this.captcha.spend();
    this.status.textContent = this.dataset.sent;
    this.input.focus();
    this.#wait(seconds);
  }

  async #refused(answer) {
    this.closest("x-form").fail(answer);
    if (answer.status === 429 && answer.retryAfter) {
      this.#sentTo = this.form.elements.mobile.value;
      this.captcha.spend();
      this.#wait(answer.retryAfter);
    } else {
      await this.captcha.load();
    }
  }

  #wait(seconds) {
    clearInterval(this.#timer);
    const end = Date.now() + seconds * 1000;
    const tick = () => {
      const left = Math.ceil((end - Date.now()) / 1000);
      if (left <= 0) {
        this.#endWait();
        return;
      }
      this.button.textContent = waitText(this.dataset, left);
    };
    this.button.disabled = true;
    this.#timer = setInterval(tick, 500);
    tick();
  }

  #endWait() {
    clearInterval(this.#timer);
    this.#sentTo = null;
    this.button.disabled = false;
    this.button.textContent = this.dataset.again;
    this.captcha.load();
  }
}

/** Go where the address says by `next`, if that is on this host, or load the page anew. */
function goOn() {
  const next = new URLSearchParams(location.search).get("next");
  if (next && URL.canParse(next, location) && new URL(next, location).origin === location.origin) {
    location.assign(next);
  } else {
    location.reload();
  }
}

/** A form that is sent as JSON; the page reloads after success, so that the server shows who is signed in. */
class JsonForm extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.alert = this.querySelector("[role=alert]");
    this.submitButton = this.form.querySelector("button:not([type])");
    this.captcha = this.form.querySelector("x-captcha[data-waits]");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  async #submit() {
    if (this.captcha?.hidden === false && !this.captcha.isAnswered()) return;
    this.clear();
    const label = this.submitButton.textContent;
    this.submitButton.disabled = true;
    this.submitButton.textContent = this.submitButton.dataset.busy;
    const answer = await call(this.form.method.toUpperCase(), this.form.getAttribute("action"), this.#values());
    if (answer.ok) {
      goOn();
      return;
    }
    this.submitButton.disabled = false;
    this.submitButton.textContent = label;
    this.fail(answer);
    this.#renewCaptcha(answer);
  }

  /** Show the captcha once the API asks for one; the one that was shown is used up. */
  #renewCaptcha(answer) {
    if (answer.body.code === "captcha_required") {
      this.captcha.hidden = false;
      this.captcha.input.required = true;
    }
    if (this.captcha?.hidden === false) this.captcha.load();
  }

  /** Collect the fields of the request; spaces around a value are no part of it, but those of a password are. */
  #values() {
    const values = {};
    for (const name of this.dataset.fields.split(" ")) {
      const field = this.form.elements[name];
      const value = field.type === "password" || name === "password" ? field.value : field.value.trim();
      if (value) values[name] = value;
    }
    if (this.captcha?.hidden === false) {
      values.captcha_id = this.captcha.captchaId;
      values.captcha_text = this.captcha.input.value.trim();
    }
    return values;
  }

  /** Show why a call failed, mark the wrong fields, and bring the reader to it. */
  fail(answer, { focus = true } = {}) {
    let text = reasonOf(answer);
    if (answer.retryAfter) text += waitText(this.alert.dataset, answer.retryAfter);
    this.form.elements[FIELD_OF_CODE[answer.body.code]]?.setAttribute("aria-invalid", "true");
    for (const wrong of answer.body.errors ?? []) {
      const field = this.form.elements[wrong.field];
      if (field instanceof HTMLInputElement) this.#explain(field);
    }
    this.alert.textContent = text;
    this.alert.hidden = false;
    if (focus) this.alert.focus();
  }

  #explain(field) {
    const note = document.createElement("p");
    note.className = "wrong";
    note.id = `${field.id}-wrong`;
    note.textContent = field.dataset.wrong;
    field.setAttribute("aria-invalid", "true");
    field.dataset.hint ??= field.getAttribute("aria-describedby") ?? "";
    field.setAttribute("aria-describedby", `${note.id} ${field.dataset.hint}`.trim());
    (field.closest(".field") ?? field.parentElement).append(note);
  }

  /** Forget the last failure. */
  clear() {
    this.alert.hidden = true;
    this.alert.textContent = "";
    for (const note of this.form.querySelectorAll(".wrong")) note.remove();
    for (const field of this.form.querySelectorAll("[aria-invalid]")) {
      field.removeAttribute("aria-invalid");
      if (field.dataset.hint) field.setAttribute("aria-describedby", field.dataset.hint);
      else field.removeAttribute("aria-describedby");
    }
  }
}

/** A password field whose text can be shown. */
class Password extends HTMLElement {
  connectedCallback() {
    const input = this.querySelector("input");
    const button = this.querySelector("button");
    button.addEventListener("click", () => {
      const shown = input.type === "password";
      input.type = shown ? "text" : "password";
      button.setAttribute("aria-pressed", String(shown));
      button.textContent = shown ? this.dataset.hide : this.dataset.show;
    });
  }
}

/** Tabs as the WAI-ARIA Authoring Practices describe them: arrow keys move and choose. */
class Tabs extends HTMLElement {
  connectedCallback() {
    this.tabs = [...this.querySelectorAll("[role=tab]")];
    this.tabs.forEach((tab, index) => {
      tab.addEventListener("click", () => this.#choose(index));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (step) this.#choose((index + step + this.tabs.length) % this.tabs.length);
      });
    });
  }

  #choose(chosen) {
    this.tabs.forEach((tab, index) => {
      tab.setAttribute("aria-selected", String(index === chosen));
      tab.tabIndex = index === chosen ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = index !== chosen;
    });
    this.tabs[chosen].focus();
  }
}

function openDialog(dialog) {
  dialog.showModal();
  dialog.querySelector("[role=tabpanel]:not([hidden]) [name=mobile], :scope > x-form [name=mobile]").focus();
}

/** Buttons that open a dialog by its id, closing the one they stand in. */
class Opener extends HTMLElement {
  connectedCallback() {
    for (const button of this.querySelectorAll("[data-dialog]")) {
      button.addEventListener("click", () => {
        this.closest("dialog")?.close();
        openDialog(document.getElementById(button.dataset.dialog));
      });
    }
  }
}

/** The signed-in reader's button to leave. */
class Logout extends HTMLElement {
  connectedCallback() {
    const button = this.querySelector("button");
    button.addEventListener("click", async () => {
      button.disabled = true;
      await call("DELETE", this.dataset.url);
      location.reload();
    });
  }
}

/** The switch between the device's look, light and dark; the server reads the cookie for the next page. */
class Theme extends HTMLElement {
  connectedCallback() {
    this.button = this.querySelector("button");
    this.button.addEventListener("click", () => this.#next());
    this.#label(document.documentElement.dataset.theme ?? "auto");
  }

  #next() {
    const order = ["auto", "light", "dark"];
    const chosen = order[(order.indexOf(document.documentElement.dataset.theme ?? "auto") + 1) % order.length];
    if (chosen === "auto") {
      delete document.documentElement.dataset.theme;
      document.cookie = "theme=; Path=/; Max-Age=0; SameSite=Lax";
    } else {
      document.documentElement.dataset.theme = chosen;
      document.cookie = `theme=${chosen}; Path=/; Max-Age=31536000; SameSite=Lax`;
    }
    this.#label(chosen);
  }

  #label(theme) {
    this.button.setAttribute("aria-label", this.dataset[theme]);
    this.button.title = this.dataset[theme];
  }
}

/** Counts one view of an article, once it is really shown: pages that are only prepared do not count. */
class View extends HTMLElement {
  connectedCallback() {
    if (document.prerendering) {
      document.addEventListener("prerenderingchange", () => this.#count(), { once: true });
    } else {
      this.#count();
    }
  }

  #count() {
    navigator.sendBeacon(this.dataset.url);
  }
}

customElements.define("x-form", JsonForm);
customElements.define("x-captcha", Captcha);
customElements.define("x-sms-code", SmsCode);
customElements.define("x-password", Password);
customElements.define("x-tabs", Tabs);
customElements.define("x-opener", Opener);
customElements.define("x-logout", Logout);
customElements.define("x-theme", Theme);
customElements.define("x-view", View);

// The gateway leads here who must sign in first; there is no dialog for who is signed in.
const login = document.getElementById("login");
if (login && new URLSearchParams(location.search).has("login")) openDialog(login);
