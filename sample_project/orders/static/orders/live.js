"use strict";

const orders = new Map();
const body = document.getElementById("orders");
const connection = document.getElementById("connection");

function cell(row, content) {
  row.insertCell().append(content);
}

function show() {
  body.replaceChildren();
  for (const order of orders.values()) {
    const row = body.insertRow();
    row.id = `order-${order.id}`;
    row.dataset.status = order.status;
    const progress = document.createElement("progress");
    progress.max = 100;
    progress.value = order.percent;
    progress.textContent = `${order.percent} %`;
    cell(row, order.id.slice(0, 8));
    cell(row, order.customer);
    cell(row, order.amount.toFixed(2));
    cell(row, order.status);
    cell(row, progress);
  }
}

motia.follow(document.body.dataset.stream, {
  status(status) { connection.textContent = status; },
  sync(all) {
    orders.clear();
    for (const order of all) orders.set(order.id, order);
    show();
  },
  set(order) {
    orders.set(order.id, order);
    show();
  },
  delete(order) {
    orders.delete(order.id);
    show();
  },
});

document.getElementById("order").addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  const form = submitted.target;
  const order = { customer: form.customer.value, amount: Number(form.amount.value) };
  const answer = await fetch(form.action, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      "X-CSRFToken": form.csrfmiddlewaretoken.value,
    },
    body: JSON.stringify(order),
  });
  document.getElementById("answer").textContent = answer.ok ? "accepted" : `refused (${answer.status})`;
});
