// What FullCalendar, set to the viewer's time zone (TZ), makes of the calendar on stdin: [title, start, end] an event.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

// As modules they miss ical.js 1, which Node takes for CommonJS.
const require = createRequire(import.meta.url);
const { DateEnv } = require("@fullcalendar/core/internal");
const { default: plugin } = require("@fullcalendar/icalendar");

const locale = { week: { dow: 0, doy: 4 }, options: {} };
const env = new DateEnv({ timeZone: "local", calendarSystem: "gregory", locale });
const url = `data:text/calendar;base64,${readFileSync(0).toString("base64")}`;
const range = { start: new Date("1980-01-01T00:00:00Z"), end: new Date("2110-01-01T00:00:00Z") };
const utc = (date) => date.toISOString().replace(/[-:]|\.\d+/g, "");

function moment(text) {
  const { marker, isTimeUnspecified } = env.createMarkerMeta(text);
  return isTimeUnspecified ? utc(marker).slice(0, 8) : utc(env.toDate(marker));
}

const { rawEvents } = await new Promise((resolve, reject) =>
  plugin.eventSourceDefs[0].fetch({ eventSource: { meta: { url, format: "ics" } }, range }, resolve, reject),
);
process.stdout.write(
  JSON.stringify(rawEvents.map((event) => [event.title ?? "", moment(event.start), moment(event.end)])),
);
