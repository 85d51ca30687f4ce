/* Countersign's one script. Every page works without it; it adds speed, the clipboard, clocks and shortcuts. */
(() => {
  "use strict";
  const root = document.documentElement;
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const on = (type, handler, options) => document.addEventListener(type, handler, options);
  const cookie = (name, value) => {
    const [host, secure] = location.protocol === "https:" ? ["__Host-", "; secure"] : ["", ""];
    document.cookie = `${host}${name}=${value}; path=/; max-age=31536000; samesite=lax${secure}`;
  };

  /* One polite live region for the page; the same text twice is announced twice. */
  const say = (text) => {
    const region = one("#status");
    if (!region) return;
    region.textContent = "";
    setTimeout(() => { region.textContent = text; }, 60);
  };

  /* Messages beside controls */
  const errorPlace = (control) => {
    const holder = control.closest("form, .code-box, .dialog-body, td") || control.parentElement || document.body;
    let place = one(":scope > .request-error", holder);
    if (!place) {
      place = document.createElement("div");
      place.className = "request-error";
      place.setAttribute("role", "alert");
      holder.append(place);
    }
    return place;
  };
  const complain = (control, text) => {
    const box = document.createElement("div");
    box.className = "notice";
    box.dataset.tone = "bad";
    const line = document.createElement("div");
    line.textContent = text;
    box.append(line);
    errorPlace(control).replaceChildren(box);
  };

  /* Copying */
  const copied = (button) => {
    if (button.dataset.was) return;
    button.dataset.was = "1";
    const before = [...button.childNodes];
    const label = button.getAttribute("aria-label");
    button.replaceChildren("Copied");
    button.removeAttribute("aria-label");
    button.classList.add("done");
    say("Copied");
    setTimeout(() => {
      button.replaceChildren(...before);
      if (label) button.setAttribute("aria-label", label);
      button.classList.remove("done");
      delete button.dataset.was;
    }, 2000);
  };
  const copyText = async (button) => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      copied(button);
    } catch {
      complain(button, "The browser did not allow copying. Select the text and copy it.");
    }
  };
  /* The code goes from the answer to the clipboard; it is never put into the page. */
  const copyWithoutShowing = async (form) => {
    const button = one("button", form);
    let refusal = "";
    const fetched = fetch(form.action, {
      method: "POST", body: new FormData(form), headers: { Accept: "application/json", "X-Requested-With": "fetch" }, cache: "no-store", redirect: "manual",
    }).then(async (answer) => {
      const data = answer.headers.get("Content-Type")?.includes("json") ? await answer.json() : {};
      if (!answer.ok || !data.code) {
        refusal = data.sentence || "";
        throw new Error("refused");
      }
      return new Blob([data.code], { type: "text/plain" });
    });
    one(".request-error", form)?.remove();
    try {
      await navigator.clipboard.write([new ClipboardItem({ "text/plain": fetched })]);
      copied(button);
      document.body.dispatchEvent(new CustomEvent("codeCopied", { detail: { id: form.closest("[id]")?.id } }));
    } catch {
      await fetched.catch(() => {});
      complain(button, refusal || "The code was not copied. Nothing was changed. Reload the page and try again, or use Reveal.");
    }
  };

  /* Revealed codes: hidden after their time, when the tab is left for 10 s, on leaving and on printing. */
  const timers = new WeakMap();
  const hide = (box) => {
    clearInterval(timers.get(box));
    const secret = one("[data-secret]", box);
    if (!secret) return;
    secret.textContent = "••••••••••••";
    const mask = document.createElement("span");
    mask.className = "code";
    mask.textContent = `••••-••••-${box.dataset.last4}`;
    secret.replaceWith(mask);
    const back = one("a[data-hide]", box);
    const note = one("[data-hides]", box);
    if (note) note.textContent = "Hidden";
    all("[data-keep-shown], button[data-hide], .legend-line", box).forEach((part) => part.remove());
    box.classList.remove("shown");
    say("Code hidden");
    if (back) window.htmx?.ajax("GET", back.href, { target: box, swap: "outerHTML", select: `#${box.id}` });
  };
  const hideAll = () => all("[data-code-box][data-hide-after]").forEach(hide);
  const startHiding = (box) => {
    if (timers.has(box)) return;
    let until = Date.now() + Number(box.dataset.hideAfter) * 1000;
    const longest = Date.now() + 300000;
    const tick = () => {
      const left = Math.ceil((until - Date.now()) / 1000);
      if (left <= 0 || !box.isConnected) return hide(box);
      const note = one("[data-hides]", box);
      if (note) note.textContent = `Hides in ${left} s`;
    };
    timers.set(box, setInterval(tick, 1000));
    box.addEventListener("click", (event) => {
      if (event.target.closest("[data-keep-shown]")) {
        until = longest;
        event.target.closest("[data-keep-shown]").remove();
        one("[data-hide]", box)?.focus();
        tick();
      } else if (event.target.closest("[data-hide]")) {
        event.preventDefault();
        hide(box);
      }
    });
  };
  let leaving;
  on("visibilitychange", () => {
    clearTimeout(leaving);
    if (document.hidden) leaving = setTimeout(hideAll, 10000);
    else refreshClocks();
  });
  addEventListener("pagehide", hideAll);
  addEventListener("beforeprint", hideAll);

  /* Clocks: deadlines tick each minute, times switch between UTC and local. */
  const UNITS = [["d", "day", 86400], ["h", "hour", 3600], ["min", "minute", 60]];
  const span = (seconds) => {
    const parts = [];
    for (const [sign, word, size] of UNITS) {
      const count = Math.floor(seconds / size);
      seconds -= count * size;
      if (count || parts.length) parts.push([count, sign, word]);
    }
    const kept = parts.slice(0, 2).filter(([count], index) => !index || count);
    if (!kept.length) return ["under 1 min", "under a minute"];
    return [kept.map(([n, sign]) => `${n} ${sign}`).join(" "), kept.map(([n, , word]) => `${n} ${word}${n === 1 ? "" : "s"}`).join(" ")];
  };
  const tickDeadline = (box) => {
    const left = (Date.parse(box.dataset.deadline) - Date.now()) / 1000;
    const [short, spelled] = span(Math.abs(left));
    const tone = left <= 43200 ? "bad" : left <= 172800 ? "attention" : "neutral";
    const [before, after] = left > 0 ? ["(", " left)"] : [`(${box.dataset.passed} `, " ago)"];
    const eyes = document.createElement("span");
    const ears = document.createElement("span");
    eyes.ariaHidden = "true";
    eyes.textContent = short;
    ears.className = "vh";
    ears.textContent = spelled;
    one("[data-left]", box)?.replaceChildren(before, eyes, ears, after);
    if (box.dataset.tone !== tone && tone !== "neutral") say(`Deadline: ${spelled} ${left > 0 ? "left" : "passed"}`);
    box.dataset.tone = tone;
  };
  const refreshClocks = () => all("[data-deadline]").forEach(tickDeadline);
  setInterval(() => { if (!document.hidden) refreshClocks(); }, 60000);

  const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
  const DAYS = "Sun Mon Tue Wed Thu Fri Sat".split(" ");
  const two = (n) => String(n).padStart(2, "0");
  const localStamp = (at, format) => {
    const year = at.getFullYear() === new Date().getFullYear() ? "" : ` ${at.getFullYear()}`;
    const day = format === "weekday" ? `${DAYS[at.getDay()]} ` : "";
    const seconds = format === "seconds" ? `:${two(at.getSeconds())}` : "";
    return `${day}${at.getDate()} ${MONTHS[at.getMonth()]}${year} ${two(at.getHours())}:${two(at.getMinutes())}${seconds}`;
  };
  const showZone = (within = document) => {
    const local = root.dataset.zone === "local";
    all("time[datetime]", within).forEach((time) => {
      if (time.closest("[data-zone-fixed]")) return;
      time.dataset.utc ??= time.textContent;
      time.textContent = local ? localStamp(new Date(time.dateTime), time.dataset.format) : time.dataset.utc;
    });
    const offset = new Intl.DateTimeFormat("en", { timeZoneName: "short" }).formatToParts().find((part) => part.type === "timeZoneName")?.value;
    all("[data-zone-name]").forEach((name) => { name.textContent = local ? offset || "Local" : "UTC"; });
  };

  /* Forms */
  const labels = new WeakMap();
  const busy = (form, button) => {
    if (!button?.dataset.busyLabel) return;
    button.setAttribute("aria-busy", "true");
    labels.set(button, [...button.childNodes]);
    button.textContent = button.dataset.busyLabel;
    say(button.dataset.busyLabel);
  };
  const idle = (within = document) => {
    all("[aria-busy]", within).filter((button) => labels.has(button)).forEach((button) => {
      button.replaceChildren(...labels.get(button));
      button.removeAttribute("aria-busy");
      labels.delete(button);
    });
    all("form[data-sent]", within).forEach((form) => { delete form.dataset.sent; });
  };
  on("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-copy-post]")) {
      event.preventDefault();
      copyWithoutShowing(form);
      return;
    }
    if (form.method !== "post") return;
    if (form.dataset.sent) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    form.dataset.sent = "1";
    delete form.dataset.changed;
    busy(form, event.submitter || one("button.primary, button", form));
  }, true);
  addEventListener("pageshow", (event) => { if (event.persisted) idle(); });
  on("input", ({ target }) => {
    const form = target.closest?.("form[data-guard]");
    if (form) form.dataset.changed = all("textarea, input[type=text]", form).some((field) => field.value !== field.defaultValue) ? "1" : "";
  });
  addEventListener("beforeunload", (event) => { if (one("form[data-guard][data-changed='1']")) event.preventDefault(); });
  on("change", ({ target }) => {
    const form = target.closest?.("form[data-auto-submit]");
    if (form && !window.htmx) form.requestSubmit();
  });

  /* Rows, dialogs, menus, preferences */
  const openDialog = (dialog) => {
    if (!dialog || dialog.open) return;
    dialog.returnTo = document.activeElement;
    dialog.showModal();
    one("[data-focus]", dialog)?.focus();
  };
  on("close", ({ target }) => {
    const back = target.returnTo;
    if (back?.isConnected) back.focus();
    if (target.id === "dialog") target.replaceChildren();
  }, true);
  on("click", (event) => {
    const { target } = event;
    const hit = (selector) => target.closest?.(selector);
    const link = hit("a[data-dialog]");
    if (hit("[data-copy]")) copyText(hit("[data-copy]"));
    else if (hit("[data-open]")) openDialog(one(`#${hit("[data-open]").dataset.open}`));
    else if (hit("[data-close]")) hit("dialog")?.close();
    else if (hit("[data-back]") && history.length > 1) { event.preventDefault(); history.back(); }
    else if (hit("[data-fill-username]")) {
      one("[name=username]").value = hit("[data-fill-username]").dataset.fillUsername;
      one("[name=password]").value = hit("[data-fill-username]").dataset.fillPassword;
      one("main form").requestSubmit();
    } else if (link && window.htmx && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
      event.preventDefault();
      window.htmx.ajax("GET", link.href, { source: link, target: "#dialog", swap: "innerHTML" });
    } else if (target.matches?.("dialog")) target.close();
    const zone = hit("[data-zone-toggle]");
    if (zone) {
      event.preventDefault();
      root.dataset.zone = root.dataset.zone === "local" ? "utc" : "local";
      cookie("zone", root.dataset.zone);
      zone.value = root.dataset.zone === "local" ? "utc" : "local";
      showZone();
      say(`Times are shown in ${one("[data-zone-name]").textContent}`);
    }
    const choice = hit(".prefs button[name]");
    if (choice) {
      event.preventDefault();
      cookie(choice.name, choice.value);
      if (choice.name === "keys") document.body.dataset.keys = choice.value;
      else root.dataset[choice.name] = choice.value;
      all("button", choice.parentElement).forEach((other) => other.setAttribute("aria-pressed", String(other === choice)));
    }
    all("details.menu[open]").forEach((menu) => { if (!menu.contains(target)) menu.open = false; });
  });

  /* Checkboxes: shift-click selects a range. */
  let lastChecked;
  on("click", ({ target, shiftKey }) => {
    if (!target.matches?.("td > input[type=checkbox]")) return;
    const boxes = all("td > input[type=checkbox]", target.closest("table"));
    if (shiftKey && boxes.includes(lastChecked)) {
      const [from, to] = [boxes.indexOf(lastChecked), boxes.indexOf(target)].sort((a, b) => a - b);
      boxes.slice(from, to + 1).forEach((box) => { box.checked = target.checked; });
    }
    lastChecked = target;
  });

  /* Keyboard */
  const typing = (element) => element.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable], dialog[open]");
  const moveRow = (by) => {
    const rows = all("table[data-rows] tbody tr").filter((row) => one("th a, td a", row));
    if (!rows.length) return;
    const now = rows.findIndex((row) => row.classList.contains("at"));
    const next = rows[Math.min(rows.length - 1, Math.max(0, now + by))];
    rows[now]?.classList.remove("at");
    next.classList.add("at");
    one("th a, td a", next).focus();
  };
  let going = 0;
  on("keydown", (event) => {
    const { key, target } = event;
    const command = event.ctrlKey || event.metaKey;
    if (command && key.toLowerCase() === "k" && one("#search")) {
      event.preventDefault();
      one("#search").focus();
      one("#search").select();
    } else if (command && key === "Enter" && target.form) {
      event.preventDefault();
      target.form.requestSubmit();
    } else if (key === "Escape") {
      const menu = one("details.menu[open]");
      if (menu) { menu.open = false; one("summary", menu).focus(); }
      else if (target.id === "search") target.blur();
    }
    if (command || event.altKey || typing(target) || one("dialog[open]") || document.body.dataset.keys === "off") return;
    const press = (selector) => { const found = one(selector); if (found) { event.preventDefault(); found.matches("input") ? found.focus() : found.click(); } };
    if (Date.now() - going < 1200) {
      going = 0;
      return press(`[data-go="${CSS.escape(key)}"]`);
    }
    if (key === "/") press("#search");
    else if (key === "g") going = Date.now();
    else if (key === "j" || key === "k") { event.preventDefault(); moveRow(key === "j" ? 1 : -1); }
    else if (key === "x") press("tr.at input[type=checkbox]");
    else if (key === "[") press("a[rel=prev]");
    else if (key === "]") press("a[rel=next]");
    else if (key === "?") openDialog(one("#keys"));
    else if (/^[a-z]$/.test(key)) press(`[data-key="${key}"]`);
  });

  /* htmx */
  on("htmx:configRequest", ({ detail }) => {
    if (detail.elt.matches("[data-poll]")) detail.headers["X-Poll"] = "1";
    if (detail.verb !== "get") return;
    for (const name of [...new Set(detail.formData?.keys() ?? [])]) {
      if (detail.formData.getAll(name).every((value) => value === "")) detail.formData.delete(name);
    }
  });
  on("htmx:beforeRequest", (event) => {
    if (event.detail.elt.matches("[data-poll]") && document.hidden) event.preventDefault();
    else if (!event.detail.elt.matches("[data-poll]")) event.detail.target?.setAttribute("aria-busy", "true");
  });
  on("htmx:afterRequest", ({ detail }) => {
    detail.target?.removeAttribute("aria-busy");
    idle(detail.elt.closest?.("form") || detail.elt);
    const form = detail.elt.closest?.("form");
    if (form) delete form.dataset.sent;
  });
  on("htmx:beforeSwap", (event) => {
    const { detail } = event;
    if (detail.xhr.getResponseHeader("X-Refusal")) {
      event.preventDefault();
      const answer = new DOMParser().parseFromString(detail.xhr.responseText, "text/html");
      errorPlace(detail.requestConfig?.elt || detail.elt).replaceChildren(...answer.body.children);
    } else if (detail.shouldSwap) one(".request-error", detail.elt)?.remove();
  });
  const failed = (what) => ({ detail }) => {
    if (detail.elt.matches("[data-poll]")) return;
    const unchanged = detail.requestConfig?.verb === "get" ? "The page shows what was last loaded." : "We do not know whether it was done. Reload the page before you try again.";
    complain(detail.elt, `${what} ${unchanged}${detail.requestConfig?.verb === "get" ? " Try again." : ""}`);
  };
  on("htmx:sendError", failed("The server could not be reached."));
  on("htmx:timeout", failed("The server did not answer in 10 s."));
  on("htmx:responseError", (event) => {
    if (!event.detail.xhr.getResponseHeader("X-Refusal")) failed("The server could not do this.")(event);
  });
  const wake = (within) => {
    all("[data-code-box][data-hide-after]", within).forEach(startHiding);
    if (within.matches?.("[data-code-box][data-hide-after]")) startHiding(within);
    if (root.dataset.zone === "local") showZone(within);
  };
  on("htmx:afterSettle", ({ detail: { elt } }) => {
    const target = elt.id ? one(`#${CSS.escape(elt.id)}`) || elt : elt;
    wake(target.parentElement || target);
    if (target.id === "dialog" && target.childElementCount) openDialog(target);
    const focus = target.matches("[data-focus]") ? target : one("[data-focus]", target);
    if (focus && focus !== document.activeElement) focus.focus();
    const spoken = one("[data-announce]", target)?.textContent || target.dataset?.announceText;
    if (spoken) say(spoken);
  });
  on("htmx:beforeHistorySave", hideAll);

  /* Session end: warned two minutes before, with a button that moves it. */
  const session = Number(document.body.dataset.session);
  if (session) {
    const { sessionAge, sessionLast } = document.body.dataset;
    const last = Date.now() + sessionLast * 1000;
    let ends = Date.now() + session * 1000;
    const goOn = () => { ends = Math.min(last, Date.now() + sessionAge * 1000); };
    on("htmx:afterRequest", ({ detail }) => { if (detail.successful && !detail.elt.matches("[data-poll]")) goOn(); });
    const stay = async () => {
      const token = one("[name=csrfmiddlewaretoken]")?.value;
      const answer = await fetch(document.body.dataset.stay, { method: "POST", headers: { "X-CSRFToken": token }, redirect: "manual" });
      if (!answer.ok) return complain(one("#session-end"), "You are signed out already. Copy what you typed before you leave this page.");
      goOn();
      one("#session-end").remove();
      say("You stay signed in");
    };
    setInterval(() => {
      if (Date.now() < ends - 120000 || one("#session-end")) return;
      const box = document.createElement("div");
      box.id = "session-end";
      box.className = "notice";
      box.dataset.tone = "attention";
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button secondary small";
      button.textContent = "Stay signed in";
      button.addEventListener("click", stay);
      const text = document.createElement("div");
      text.textContent = `You will be signed out in 2 minutes.${ends < last ? "" : " No sign-in lasts longer; send what you are writing, then sign in again."}`;
      box.append(text, ...(ends < last ? [button] : []));
      one("#messages").append(box);
      say(text.textContent);
    }, 5000);
  }

  const start = () => {
    wake(document.body);
    showZone();
    refreshClocks();
    one(".problem[data-focus]")?.focus();
  };
  document.readyState === "loading" ? on("DOMContentLoaded", start) : start();
})();
