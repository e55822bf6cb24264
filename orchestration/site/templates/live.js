// The page of the run that goes on: the server sends its parts anew, once a second at most.
"use strict";

const part = document.getElementById("part");
const news = document.getElementById("news");
const lost = document.getElementById("lost");

function show(found) {
  const across = [...part.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
  part.innerHTML = found.html;
  part.querySelectorAll(".scroll").forEach((box, at) => { box.scrollLeft = across[at] || 0; });
  if (news.textContent !== found.news) news.textContent = found.news; // for screen readers
  document.title = found.title;
}

function connect() {
  const stream = new EventSource("events");
  stream.onopen = () => { lost.hidden = true; };
  stream.onmessage = (event) => show(JSON.parse(event.data));
  // the server ends with its run: what it made is to be fetched now or never
  stream.addEventListener("leave", (event) => {
    stream.close();
    if (event.data) location.replace(event.data);
  });
  stream.onerror = () => {
    lost.hidden = false;
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
  };
}

connect();
