use crate::calibrate::parameter::Parameter;

fn said(text: &str) -> String {
    Parameter::parse(text).unwrap_err().to_string()
}

#[test]
fn a_range_has_a_unit_and_writes_values_in_it() {
    let parameter = Parameter::parse("mesh.sidecar.outbound.request=100us..1ms").unwrap();
    assert_eq!((parameter.low, parameter.high, parameter.unit.as_str()), (0.1, 1.0, "ms"));
    assert_eq!(parameter.text(0.5), "0.55ms");
    assert_eq!(parameter.setting(0.0).value, "0.1ms");
    assert!((parameter.rounded(1.0 / 3.0) - 1.0 / 3.0).abs() < 1e-4);
    let parameter = Parameter::parse("cell.cpu_scale=0.5..2").unwrap();
    assert_eq!((parameter.text(0.0).as_str(), parameter.setting(1.0).value.as_str()), ("0.5", "2"));
    let parameter = Parameter::parse("users.edge1.rate=5/s..600/min").unwrap();
    assert_eq!((parameter.low, parameter.high), (300.0, 600.0));
    let parameter = Parameter::parse("hosts.machine.cores=\"1\"..\"4\"").unwrap();
    assert_eq!(parameter.setting(0.0).value, "\"1\"");
}

#[test]
fn what_is_no_range_is_refused() {
    for (text, expected) in [
        ("cell.cpu_scale", "it names no value and no range"),
        ("cell.cpu_scale=2", "it has no range (write PATH=LOW..HIGH"),
        ("cell.cpu_scale=2..0.5", "2 is not below 0.5 (the lower end comes first)"),
        ("cell.cpu_scale=1..1", "1 is not below 1"),
        ("cell.cpu_scale=a..b", "an end of its range is no number"),
        ("links.wan.rtt=1ms..2/s", "`1ms` and `2/s` are not of one kind"),
        ("links.wan.rtt=1..2ms", "`1` and `2ms` are not of one kind"),
    ] {
        let text = said(text);
        assert!(text.starts_with("--fit ") && text.contains(expected), "{text}");
    }
}
