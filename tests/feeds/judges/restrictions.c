/* libical's opinion of a calendar on stdin: every restriction error (RFC 5545, 5546) on a line of its own. */
#include <libical/ical.h>
#include <stdio.h>
#include <stdlib.h>

static char *line(char *buffer, size_t size, void *from)
{
    return fgets(buffer, (int)size, (FILE *)from);
}

static int report(icalcomponent *component)
{
    int errors = 0;
    icalproperty *property = icalcomponent_get_first_property(component, ICAL_XLICERROR_PROPERTY);
    for (; property; property = icalcomponent_get_next_property(component, ICAL_XLICERROR_PROPERTY)) {
        printf("%s: %s\n", icalcomponent_kind_to_string(icalcomponent_isa(component)),
               icalproperty_as_ical_string(property));
        errors++;
    }
    icalcomponent *part = icalcomponent_get_first_component(component, ICAL_ANY_COMPONENT);
    for (; part; part = icalcomponent_get_next_component(component, ICAL_ANY_COMPONENT))
        errors += report(part);
    return errors;
}

int main(void)
{
    icalparser *parser = icalparser_new();
    icalparser_set_gen_data(parser, stdin);
    icalcomponent *calendar = icalparser_parse(parser, line);
    if (!calendar) {
        puts("not a calendar");
        return 2;
    }
    icalrestriction_check(calendar);
    int events = icalcomponent_count_components(calendar, ICAL_VEVENT_COMPONENT);
    int errors = report(calendar);
    fprintf(stderr, "%d\n", events);
    icalcomponent_free(calendar);
    icalparser_free(parser);
    return errors ? 1 : 0;
}
