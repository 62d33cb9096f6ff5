//! One small valid file per format, written by hand with the field names of the real tools.

use crate::traces::format::Format;

/// A file, and how many requests and spans are in it.
pub(super) struct Sample {
    pub(super) format: Format,
    pub(super) text: &'static str,
    pub(super) requests: usize,
    pub(super) spans: usize,
}

const fn sample(format: Format, text: &'static str, requests: usize, spans: usize) -> Sample {
    Sample { format, text, requests, spans }
}

pub(super) const ALL: [Sample; 24] = [
    sample(Format::JtlCsv, JTL_CSV, 2, 0),
    sample(Format::JtlXml, JTL_XML, 3, 0),
    sample(Format::K6Csv, K6, 3, 0),
    sample(Format::K6Json, K6_JSON, 3, 0),
    sample(Format::LocustRequests, LOCUST, 3, 0),
    sample(Format::LocustStats, LOCUST_STATS, 0, 0),
    sample(Format::LocustStats, LOCUST_OLD, 0, 0),
    sample(Format::LocustDistribution, LOCUST_DISTRIBUTION, 0, 0),
    sample(Format::Fortio, FORTIO, 0, 0),
    sample(Format::MuBench, MUBENCH, 3, 0),
    sample(Format::Jaeger, JAEGER, 2, 4),
    sample(Format::Otlp, OTLP, 2, 3),
    sample(Format::Otlp, TEMPO, 1, 2),
    sample(Format::Spans, SPANS, 1, 3),
    sample(Format::Spans, CALLS, 1, 5),
    sample(Format::EnvoyText, ENVOY_CRI, 2, 2),
    sample(Format::EnvoyJson, ENVOY_DOCKER, 1, 1),
    sample(Format::JtlCsv, JTL_TRANSACTIONS, 1, 0),
    sample(Format::EnvoyText, ENVOY_ISTIO, 2, 3),
    sample(Format::EnvoyText, ENVOY_PLAIN, 2, 2),
    sample(Format::EnvoyJson, ENVOY_JSON, 1, 2),
    sample(Format::EnvoyJson, ENVOY_TESTBED, 2, 3),
    sample(Format::Prometheus, PROMETHEUS, 0, 0),
    sample(Format::Prometheus, PROMETHEUS_RATES, 0, 0),
];

pub(super) const JTL_CSV: &str = "\
timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,success,failureMessage,bytes,sentBytes,grpThreads,allThreads,URL,Latency,IdleTime,Connect
1700000000010,31,s0,200,OK,Thread Group 1-1,text,true,,38007,120,1,1,http://gw/s0,30,0,1
1700000000020,40,s0,500,Internal Server Error,Thread Group 1-2,text,false,,12,120,2,2,http://gw/s0,39,0,0
";

pub(super) const JTL_XML: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testResults version="1.2">
<httpSample t="4031" it="0" lt="843" ct="4" ts="1211383064375" s="true" lb="Load &amp; Page" rc="200" rm="OK" tn="20 Users 1-1" dt="text" by="38007" sby="547" ng="20" na="20">
  <httpSample t="100" lt="90" ts="1211383064380" s="true" lb="part" rc="200" by="5"/>
  <responseData class="java.lang.String">&lt;html&gt; 1 &gt; 0</responseData>
</httpSample>
<httpSample t="30" lt="29" ts="1211383064370" s="false" lb="s0" rc="503" rm="Service Unavailable" tn="20 Users 1-2" dt="text" by="19"/>
<sample t="7" lt="0" ts="1211383070000" s="true" lb="Java Request" rc="200" rm="OK" tn="20 Users 1-3" dt="text" by="0"/>
</testResults>
"#;

pub(super) const K6: &str = "\
metric_name,timestamp,metric_value,check,error,error_code,expected_response,group,method,name,proto,scenario,service,status,subproto,tls_version,url,extra_tags,metadata
http_reqs,1595325560,1.000000,,,,true,,GET,http://gw/s0,HTTP/1.1,default,,200,,,http://gw/s0,,
http_req_duration,1595325560,221.899000,,,,true,,GET,http://gw/s0,HTTP/1.1,default,,200,,,http://gw/s0,,
http_req_waiting,1595325560,220.280000,,,,true,,GET,http://gw/s0,HTTP/1.1,default,,200,,,http://gw/s0,,
http_req_duration,1595325561,100.5,,,1503,false,,GET,http://gw/s0,HTTP/1.1,default,,503,,,http://gw/s0,,
http_req_duration,1595325562,50,,,,,,GET,http://gw/s1,HTTP/1.1,default,,200,,,http://gw/s1,,
vus,1595325562,1.000000,,,,,,,,,,,,,,,,
";

pub(super) const LOCUST: &str = "\
timestamp,request_type,name,response_time_ms,response_length,status_code,exception
1700000000.012345,GET,/s0,31.25,1000,200,
1700000001.5,GET,/s0,40.0,12,503,\"HTTPError('503 Server Error: for url: /s0')\"
1700000000.5,GET,/s0,2.0,0,0,ConnectionRefusedError(111)
";

pub(super) const LOCUST_STATS: &str = "\
Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%
GET,/s0,1000,10,100,123.5,4.5,1700.25,98584.0,8.0,0.08,100,150,200,250,500,630,800,940,1600,1700,1700
,Aggregated,1000,10,100,123.5,4.5,1700.25,98584.0,8.0,0.08,100,150,200,250,500,630,800,940,1600,1700,1700
";

pub(super) const FORTIO: &str = r#"{
  "RunType": "HTTP",
  "Labels": "verf.io , verfio-job-v8wl6",
  "StartTime": "2018-12-22T15:51:10.053834734Z",
  "RequestedQPS": "8",
  "RequestedDuration": "10s",
  "ActualQPS": 7.970731756747274,
  "ActualDuration": 10036719644,
  "NumThreads": 4,
  "Version": "1.3.1-pre",
  "DurationHistogram": {
    "Count": 80,
    "Min": 0.028,
    "Max": 0.073,
    "Sum": 2.9869050279999994,
    "Avg": 0.0373363,
    "StdDev": 0.013932356831744559,
    "Data": [
      {"Start": 0.028, "End": 0.03, "Percent": 25, "Count": 20},
      {"Start": 0.03, "End": 0.035, "Percent": 75, "Count": 40},
      {"Start": 0.05, "End": 0.073, "Percent": 100, "Count": 20}
    ],
    "Percentiles": [{"Percentile": 50, "Value": 0.0325}, {"Percentile": 99, "Value": 0.0728}]
  },
  "Exactly": 0,
  "RetCodes": {"200": 76, "503": 4},
  "Sizes": {"Count": 80, "Min": 1, "Max": 1, "Sum": 80, "Avg": 1, "StdDev": 0, "Data": null},
  "URL": "http://gw/s0"
}
"#;

pub(super) const MUBENCH: &str =
    "1700000000020 \t 31.5 \t 200\n1700000000010 \t 40 \t 500 \t 2 \t 0\n1700000000030 \t 7\n";

pub(super) const JAEGER: &str = r#"{"data":[
{"traceID":"6f7da394850042c1824eae0f80e0e0b4","spans":[
{"traceID":"6f7da394850042c1824eae0f80e0e0b4","spanID":"b08a6d0e59b79c0d","operationName":"s0:80/*","references":[],"startTime":1795561702528798,"duration":35179,"tags":[{"key":"span.kind","type":"string","value":"client"},{"key":"http.status_code","type":"string","value":"200"},{"key":"response_size","type":"string","value":"45971"}],"logs":[],"processID":"p1","warnings":null},
{"traceID":"6f7da394850042c1824eae0f80e0e0b4","spanID":"64e2295b90d06b01","operationName":"s0:80/*","references":[{"refType":"CHILD_OF","traceID":"6f7da394850042c1824eae0f80e0e0b4","spanID":"b08a6d0e59b79c0d"}],"startTime":1795561702529150,"duration":34398,"tags":[{"key":"span.kind","type":"string","value":"server"}],"logs":[],"processID":"p2","warnings":null}],
"processes":{"p1":{"serviceName":"istio-ingressgateway","tags":[{"key":"cluster","type":"string","value":"edge1"}]},"p2":{"serviceName":"s0","tags":[]}},"warnings":null},
{"traceID":"1","processes":{"p1":{"serviceName":"s3"}},"spans":[
{"traceID":"1","spanID":"2","parentSpanID":"3","startTime":1795561702000000,"duration":100,"tags":[{"key":"error","type":"bool","value":true}],"processID":"p1"},
{"traceID":"1","spanID":"4","parentSpanID":"2","startTime":1795561702000010,"duration":50,"tags":null,"processID":"p9"}]}
],"total":0,"limit":0,"offset":0,"errors":null}
"#;

pub(super) const OTLP: &str = concat!(
    r#"{"resourceSpans":[{"scopeSpans":[{"scope":{"name":"lib","version":"1"},"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","parentSpanId":"","name":"GET /s0","kind":2,"startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000500000","attributes":[{"key":"http.response.status_code","value":{"intValue":"200"}}],"status":{}}]}],"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s0"}},{"key":"k8s.cluster.name","value":{"stringValue":"edge1"}}]}}]}"#,
    "\n",
    r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s1"}}]},"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"EEE19B7EC3C1B175","parentSpanId":"EEE19B7EC3C1B174","kind":3,"startTimeUnixNano":1544712660100000000,"endTimeUnixNano":1544712660200000000},{"traceId":"5b8efff798038103d269b633813fc60d","spanId":"EEE19B7EC3C1B176","kind":"SPAN_KIND_SERVER","startTimeUnixNano":"1544712650000000000","endTimeUnixNano":"1544712650020000000","status":{"code":2,"message":"no"}}]}]}]}"#,
    "\n"
);

pub(super) const ENVOY_ISTIO: &str = r#"2020-11-25T21:26:17.000000Z	info	Envoy proxy is ready
[2020-11-25T21:26:18.409Z] "GET /status/418 HTTP/1.1" 418 - via_upstream - "-" 0 135 4 4 "-" "curl/7.73.0-DEV" "84961386-6d84-929d-98bd-c5aee93b5c88" "httpbin:8000" "10.44.1.27:80" outbound|8000||httpbin.foo.svc.cluster.local 10.44.1.23:37652 10.0.45.184:8000 10.44.1.23:46520 - default
[2020-11-25T21:26:18.409Z] "GET /status/418 HTTP/1.1" 418 - via_upstream - "-" 0 135 3 1 "-" "curl/7.73.0-DEV" "84961386-6d84-929d-98bd-c5aee93b5c88" "httpbin:8000" "127.0.0.1:80" inbound|8000|| 127.0.0.1:41854 10.44.1.27:80 10.44.1.23:37652 outbound_.8000_._.httpbin.foo.svc.cluster.local default
[2019-03-06T09:31:27.360Z] "GET /s0 HTTP/1.1" 200 - "-" "-" 0 512 5 2 "-" "curl/7.60.0" "d209e46f-9ed5-9b61-bbdd-43e22662702a" "s0" "127.0.0.1:80" inbound|8000|http|s0.default.svc.cluster.local - 172.30.146.73:80 172.30.146.82:38618 outbound_.8000_._.s0.default.svc.cluster.local -
"#;

pub(super) const ENVOY_PLAIN: &str = r#"[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "nsq2http" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "locations" "tcp://10.0.2.1:80"
[2016-04-15T20:17:01.310Z] "GET / HTTP/1.1" 0 DC 0 0 31 - "-" "-" "-" "locations" "-"
"#;

pub(super) const ENVOY_JSON: &str = concat!(
    r#"{"start_time":"2020-11-25T21:26:18.409Z","method":"GET","path":"/s0","protocol":"HTTP/1.1","response_code":200,"response_flags":"-","bytes_received":0,"bytes_sent":135,"duration":4,"upstream_service_time":"4","request_id":"84961386-6d84-929d-98bd-c5aee93b5c88","authority":"s0","upstream_cluster":"outbound|80||s0.fluidosmesh.svc.cluster.local","route_name":"default"}"#,
    "\n",
    r#"{"start_time":"2020-11-25T21:26:18.410Z","response_code":"200","bytes_sent":"135","duration":"3","request_id":"84961386-6d84-929d-98bd-c5aee93b5c88","authority":"s0.fluidosmesh:80","upstream_cluster":"inbound|8080||","requested_server_name":null}"#,
    "\n"
);

pub(super) const ENVOY_TESTBED: &str = concat!(
    r#"{"bi":0,"bo":149359,"c":"outbound|80||s0","d":471,"du":471691,"fl":"-","id":"e5c23238-4b46-4fa8-a88c-f170c6298469","n":1,"o":"gw","p":"edge1/gw","rc":200,"us":1795561682595982,"ms":1795561682595}"#,
    "\n",
    r#"{"bi":0,"bo":149359,"c":"inbound|8080||","d":468,"du":468607,"fl":"-","id":"e5c23238-4b46-4fa8-a88c-f170c6298469","n":1,"o":"in","p":"edge1/s0","rc":200,"us":1795561682596932,"ms":1795561682596}"#,
    "\n",
    r#"{"du":15393,"e":"rr-equal","rc":503,"up":"1:9010","us":1795560959396282}"#,
    "\n"
);

pub(super) const PROMETHEUS: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[
{"metric":{"__name__":"istio_request_duration_milliseconds_bucket","le":"100","response_code":"200"},"values":[[1435781430.781,"10"],[1435781445.781,"60"],[1435781460.781,"5"]]},
{"metric":{"__name__":"istio_request_duration_milliseconds_bucket","le":"250","response_code":"200"},"values":[[1435781430.781,"20"],[1435781445.781,"110"],[1435781460.781,"8"]]},
{"metric":{"__name__":"istio_request_duration_milliseconds_bucket","le":"+Inf","response_code":"200"},"values":[[1435781430.781,"20"],[1435781445.781,"112"],[1435781460.781,"8"]]},
{"metric":{"__name__":"istio_request_duration_milliseconds_bucket","le":"+Inf","response_code":"503"},"values":[[1435781430.781,"0"],[1435781445.781,"4"]]}
]}}
"#;

pub(super) const PROMETHEUS_RATES: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[
{"metric":{"le":"0.1"},"values":[[1435781430.781,"0.25"],[1435781445.781,"0.25"]]},
{"metric":{"le":"+Inf"},"values":[[1435781430.781,"0.5"],[1435781445.781,"0.5"]]},
{"metric":{"le":"0.5"},"values":[[1435781430.781,"0.5"],[1435781445.781,"0.5"]]}
]}}
"#;

pub(super) const K6_JSON: &str = r#"{"type":"Metric","data":{"name":"http_req_duration","type":"trend","contains":"time","thresholds":[],"submetrics":null},"metric":"http_req_duration"}
{"metric":"http_reqs","type":"Point","data":{"time":"2020-07-21T09:59:20Z","value":1,"tags":{"status":"200"}}}
{"metric":"http_req_duration","type":"Point","data":{"time":"2020-07-21T09:59:20Z","value":221.899,"tags":{"expected_response":"true","method":"GET","name":"http://gw/s0","proto":"HTTP/1.1","status":"200","url":"http://gw/s0"}}}
{"metric":"http_req_waiting","type":"Point","data":{"time":"2020-07-21T09:59:20Z","value":220.28,"tags":{"status":"200"}}}
{"type":"Point","data":{"time":"2020-07-21T11:59:21+02:00","value":100.5,"tags":{"error_code":"1503","expected_response":"false","name":"http://gw/s0","status":"503"}},"metric":"http_req_duration"}
{"type":"Point","data":{"time":"2020-07-21T09:59:22Z","value":50,"tags":{"status":"200","url":"http://gw/s1"}},"metric":"http_req_duration"}
{"type":"Point","data":{"time":"2020-07-21T09:59:22Z","value":1,"tags":null},"metric":"vus"}
"#;

pub(super) const LOCUST_OLD: &str = r##""Method","Name","# requests","# failures","Median response time","Average response time","Min response time","Max response time","Average Content Size","Requests/s"
"GET","/s0",400,0,6,7,3,90,120,4.00
"None","Total",600,2,7,8,3,120,107,6.00
"##;

pub(super) const LOCUST_DISTRIBUTION: &str = r##""Name","# requests","50%","66%","75%","80%","90%","95%","98%","99%","100%"
"GET /s0",400,6,7,7,8,9,12,20,40,90
"GET /s1",0,"N/A","N/A","N/A","N/A","N/A","N/A","N/A","N/A","N/A"
"Total",600,7,8,8,9,10,13,25,50,120
"##;

pub(super) const TEMPO: &str = r#"{"batches":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s0"}}]},"instrumentationLibrarySpans":[{"spans":[{"traceId":"W47/95gDgQPSabYzgT/GDA==","spanId":"7uGbfrPBsXQ=","name":"GET /s0","kind":"SPAN_KIND_SERVER","startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000500000"},
{"traceId":"W47/95gDgQPSabYzgT/GDA==","spanId":"7uGbfrPBsXU=","parentSpanId":"7uGbfrPBsXQ=","kind":"SPAN_KIND_CLIENT","startTimeUnixNano":"1544712660100000000","endTimeUnixNano":"1544712660200000000"}]}]}]}
"#;

pub(super) const SPANS: &str = "\
traceid,spanid,parentid,dm,interface,timestamp,rt,nodeid
6f7d,6f7d,,front,GET,1700000000000000,7000,n1
6f7d,b1,6f7d,back,GET,1700000000001500,4000,n2
6f7d,b2,b1,back,query,1700000000002000,1000,n2
";

pub(super) const CALLS: &str = "\
,traceid,timestamp,rpcid,um,rpctype,dm,interface,rt
0,015101cd15919399974329000e,16397576,0.1,USER,http,front,i0,30
1,015101cd15919399974329000e,16397577,0.1,USER,http,front,i0,-28
2,015101cd15919399974329000e,16397580,0.1.1,front,rpc,back,i1,13
3,015101cd15919399974329000e,16397581,0.1.1,front,rpc,back,i1,-10
4,015101cd15919399974329000e,16397583,0.1.1.1,back,mc,cache,,2
";

pub(super) const ENVOY_CRI: &str = r#"2020-11-25T21:26:17.100000000Z stdout F 2020-11-25T21:26:17.000000Z	info	Envoy proxy is ready
2020-11-25T21:26:18.500000000Z stdout P [2020-11-25T21:26:18.409Z] "GET /s0 HTTP/1.1" 200 - via_upstream - "-" 0 135 4 4 "-" 
2020-11-25T21:26:18.500000000Z stderr F [2020-11-25 21:26:18.100][21][warning][misc] another stream
2020-11-25T21:26:18.500000001Z stdout F "curl/7.73.0-DEV" "84961386-6d84-929d-98bd-c5aee93b5c88" "s0:80" "10.44.1.27:80" outbound|80||s0.foo.svc.cluster.local 10.44.1.23:37652 10.0.45.184:8000 10.44.1.23:46520 - default
2020-11-25T21:26:19.500000000Z stdout F [2020-11-25T21:26:19.409Z] "GET /s0 HTTP/1.1" 200 - via_upstream - "-" 0 135 3 1 "-" "curl/7.73.0-DEV" "94961386-6d84-929d-98bd-c5aee93b5c88" "s0:80" "127.0.0.1:80" inbound|80|| 127.0.0.1:41854 10.44.1.27:80 10.44.1.23:37652 outbound_.80_._.s0.foo.svc.cluster.local default
"#;

pub(super) const ENVOY_DOCKER: &str = concat!(
    r#"{"log":"2020-11-25T21:26:17.000000Z\tinfo\tEnvoy proxy is ready\n","stream":"stdout","time":"2020-11-25T21:26:17.1Z"}"#,
    "\n",
    r#"{"log":"{\"start_time\":\"2020-11-25T21:26:18.409Z\",\"response_code\":200,\"bytes_sent\":135,\"duration\":4,\"request_id\":\"84961386-6d84-929d-98bd-c5aee93b5c88\",\"authority\":\"s0\",\"upstream_cluster\":\"outbound|80||s0\"}\n","stream":"stdout","time":"2020-11-25T21:26:18.5Z"}"#,
    "\n"
);

pub(super) const JTL_TRANSACTIONS: &str = "\
2023/11/14 22:13:20.010,31,s0,200,OK,Thread Group 1-1,text,true,,38007,120,1,1,http://gw/s0,30,0,1
2023/11/14 22:13:20.010,33,visit,200,\"Number of samples in transaction : 1, number of failing samples : 0\",Thread Group 1-1,,true,,38007,120,1,1,null,30,0,0
";
