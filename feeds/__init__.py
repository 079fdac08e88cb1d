from zoneinfo import ZoneInfo, reset_tzpath

# Every process of ours has one zone database: the pinned tzdata, never the machine's, which may be older.
# icalendar asks zoneinfo by itself, so a function of ours would not do.
reset_tzpath(to=())
ZoneInfo.clear_cache()
