// Follows a build's log: asks for what is new once a second, and reloads the page when the build is over.
"use strict";
(function () {
  const log = document.getElementById("log");
  if (!log || log.dataset.over === "yes") return;
  const stage = document.getElementById("stage");
  let after = log.dataset.next;
  let pause = 1000;

  function isAtEnd() {
    return log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  }

  async function ask() {
    try {
      const answer = await fetch(log.dataset.address + "?after=" + after, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const part = await answer.json();
      pause = 1000;
      if (part.text) {
        const follow = isAtEnd();
        log.append(part.text); // a text node: never markup
        if (follow) log.scrollTop = log.scrollHeight;
      }
      after = part.next;
      stage.textContent = part.stage ? part.status + ": " + part.stage : part.status;
      if (part.is_over) return void location.reload();
    } catch {
      pause = Math.min(2 * pause, 30000);
    }
    setTimeout(ask, pause);
  }

  log.scrollTop = log.scrollHeight;
  setTimeout(ask, pause);
})();
