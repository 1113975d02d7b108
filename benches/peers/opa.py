"""OPA itself, in process: reads one JSON document, measures, writes one JSON document.

Requests are encoded beforehand, and answers are read afterwards: what is timed is the call into OPA, which parses the request
and prints the answer.
"""

import json
import sys
import threading
import time

import opa_bindings


def resident():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


def main():
    with open(sys.argv[1]) as file:
        asked = json.load(file)
    policy, data = asked["policy"], asked["data"]
    inputs = [json.dumps(request).encode() for request in asked["requests"]]
    before = resident()
    started = time.perf_counter_ns()
    engine = opa_bindings.OpaEngine()
    engine.add_policy("bench.rego", policy)
    if data is not None:
        engine.add_data(json.loads(data))
    # The first question compiles the policy; this one asks nothing of any rule.
    engine.eval_document("bench.decision", {})
    load = time.perf_counter_ns() - started
    after = resident()
    library, handle = engine._lib, engine._handle
    read = opa_bindings.engine.ctypes.string_at

    def ask(request):
        return library.OpaEvalDocument(handle, b"bench.decision", inputs[request], 0, 0)

    def free(answer):
        library.OpaFreeString(answer)

    answers = []
    started = time.monotonic()
    for request in range(len(inputs)):
        if request >= 20 and time.monotonic() - started > asked["check"]:
            break
        answer = ask(request)
        document = json.loads(read(answer))
        free(answer)
        if document.get("error"):
            sys.exit(f"{document['error']}")
        answers.append(document["result"][0]["expressions"][0]["value"])

    samples = []
    started = time.monotonic()
    count = 0
    while count < 20 or time.monotonic() - started < asked["latency"]:
        request = count % len(inputs)
        begun = time.perf_counter_ns()
        answer = ask(request)
        samples.append(time.perf_counter_ns() - begun)
        free(answer)
        count += 1

    def rate(threads):
        counts = [0] * threads
        over = threading.Event()

        def work(thread):
            request = thread * len(inputs) // threads
            while not counts[thread] or not over.is_set():
                free(ask(request % len(inputs)))
                request += 1
                counts[thread] += 1

        workers = [threading.Thread(target=work, args=(thread,)) for thread in range(threads)]
        begun = time.monotonic()
        for worker in workers:
            worker.start()
        time.sleep(asked["throughput"])
        over.set()
        for worker in workers:
            worker.join()
        return sum(counts) / (time.monotonic() - begun)

    json.dump(
        {
            "load_ns": load,
            "resident": max(0, after - before),
            "answers": answers,
            "samples": samples,
            "throughput": [rate(1), rate(2)],
        },
        sys.stdout,
    )


main()
