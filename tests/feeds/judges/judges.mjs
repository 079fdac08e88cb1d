// What ical.js (Thunderbird, Nextcloud) and node-ical read: one JSON object on stdout for a calendar on stdin.
import { readFileSync } from "node:fs";
import ICAL from "ical.js";
import nodeIcal from "node-ical";

const text = readFileSync(0, "utf-8");
const pad = (number, width = 2) => String(number).padStart(width, "0");
const utc = (date) => date.toISOString().replace(/[-:]|\.\d+/g, "");

function byIcalJs() {
  const calendar = new ICAL.Component(ICAL.parse(text));
  for (const zone of calendar.getAllSubcomponents("vtimezone")) ICAL.TimezoneService.register(zone);
  const moment = (time) =>
    time.isDate ? `${pad(time.year, 4)}${pad(time.month)}${pad(time.day)}` : utc(time.toJSDate());
  return calendar.getAllSubcomponents("vevent").map((component) => {
    const event = new ICAL.Event(component);
    const status = component.getFirstPropertyValue("status");
    return [event.uid, moment(event.startDate), moment(event.endDate), event.summary ?? "", status];
  });
}

function byNodeIcal() {
  const day = (date) => `${pad(date.getFullYear(), 4)}${pad(date.getMonth() + 1)}${pad(date.getDate())}`;
  const moment = (date, allDay) => (allDay ? day(date) : utc(date));
  return Object.values(nodeIcal.sync.parseICS(text))
    .filter((component) => component.type === "VEVENT")
    .map((event) => {
      const allDay = event.datetype === "date";
      const summary = typeof event.summary === "object" ? event.summary.val : (event.summary ?? "");
      return [event.uid, moment(event.start, allDay), moment(event.end, allDay), summary, event.status];
    });
}

process.stdout.write(JSON.stringify({ "ical.js": byIcalJs(), "node-ical": byNodeIcal() }));
