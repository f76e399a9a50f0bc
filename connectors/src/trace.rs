//! The useful line of a failed task's trace.
//!
//! A trace is eighty lines of frames; what a person needs is the sentence of its deepest cause that has one.

/// The message of the deepest cause that says something, without Java's package names.
#[must_use]
pub fn useful_line(trace: &str) -> String {
    let causes = trace.lines().filter(|line| !is_frame(line)).map(|line| line.trim().trim_start_matches("Caused by: "));
    let mut useful = String::new();
    for (index, line) in causes.enumerate() {
        // Messages may have several lines; a line that does not begin with a class belongs to the one before it.
        let begins = index == 0 || is_exception(line);
        if begins && says_something(line) {
            useful = without_package(line);
        }
    }
    if useful.is_empty() { trace.lines().next().unwrap_or("no trace was given").trim().to_owned() } else { useful }
}

fn is_frame(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with("at ") || line.starts_with("... ") || line.starts_with("Suppressed: ")
}

fn class_of(line: &str) -> &str {
    line.split(':').next().unwrap_or(line)
}

fn is_exception(line: &str) -> bool {
    let class = class_of(line);
    let is_class = |character: char| character.is_alphanumeric() || matches!(character, '.' | '$' | '_');
    class.contains('.') && class.chars().all(is_class) && (class.ends_with("Exception") || class.ends_with("Error"))
}

/// A wrapper without a message of its own repeats its cause's class, or says nothing.
fn says_something(line: &str) -> bool {
    let message = line.split_once(": ").map_or("", |(_, message)| message.trim());
    !message.is_empty() && message != "null" && !is_exception(message)
}

fn without_package(line: &str) -> String {
    let (class, message) = line.split_once(": ").unwrap_or((line, ""));
    let name = class.rsplit(['.', '$']).next().unwrap_or(class);
    format!("{name}: {}", message.trim())
}

/// The useful part of the answer to a configuration that Connect refuses: one line for each error.
#[must_use]
pub fn refusal(message: &str) -> String {
    let lines = message.lines().map(str::trim);
    let useful: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with("You can also find") && !line.ends_with("error(s):"))
        .collect();
    if useful.is_empty() { message.trim().to_owned() } else { useful.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_cause_that_says_something_is_the_useful_line() {
        let trace = "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler\n\
                     \tat org.apache.kafka.connect.runtime.errors.RetryWithToleranceOperator.execAndHandleError(X.java:260)\n\
                     Caused by: org.apache.kafka.connect.errors.DataException: java.lang.RuntimeException\n\
                     \tat io.apicurio.Foo.bar(Foo.java:1)\n\t... 12 more\n\
                     Caused by: io.apicurio.registry.rest.client.exception.RuleViolationException: Incompatible artifact: commerce.public.merchant-value [AVRO]\n\
                     \tat io.apicurio.Baz.qux(Baz.java:2)\n";
        assert_eq!(
            useful_line(trace),
            "RuleViolationException: Incompatible artifact: commerce.public.merchant-value [AVRO]"
        );
    }

    #[test]
    fn a_single_exception_is_its_own_useful_line() {
        let trace = "io.debezium.DebeziumException: The publication 'nope' does not exist\n\tat a.b.C.d(C.java:1)";
        assert_eq!(useful_line(trace), "DebeziumException: The publication 'nope' does not exist");
    }

    #[test]
    fn a_cause_without_a_message_does_not_hide_the_one_above_it() {
        let trace = "a.b.ConnectException: the disk is full\n\tat x.y(Z.java)\nCaused by: java.io.EOFException\n\tat x.y(Z.java)";
        assert_eq!(useful_line(trace), "ConnectException: the disk is full");
    }

    #[test]
    fn something_that_is_no_trace_is_given_back() {
        assert_eq!(useful_line("killed"), "killed");
        assert_eq!(useful_line(""), "no trace was given");
    }

    #[test]
    fn a_refusal_keeps_its_sentences() {
        let message = "Connector configuration is invalid and contains the following 1 error(s):\nError while validating connector \
                       config: FATAL: password authentication failed for user \"replication\"\nYou can also find the above list of \
                       errors at the endpoint `/connector-plugins/{connectorType}/config/validate`";
        assert_eq!(
            refusal(message),
            "Error while validating connector config: FATAL: password authentication failed for user \"replication\""
        );
    }
}
