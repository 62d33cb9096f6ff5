"""The call graph of meshsim's benchmarks on SimPy: simpy_call_graph.py REQUESTS."""

import random
import sys

import simpy

RATE = 50.0
PROBABILITY = 0.3
ONE_WAY = 0.08
CALLEES = [[1, 2, 3, 9], [5], [], [4, 8], [], [6, 7], [], [], [], []]
FAR = {4, 5, 8, 9}


def call(env, stations, service):
    if service in FAR:
        yield env.timeout(ONE_WAY)
    with stations[service].request() as request:
        yield request
        yield env.timeout(random.expovariate(1 / (0.015 if service == 0 else 0.005)))
    for callee in CALLEES[service]:
        if random.random() < PROBABILITY:
            yield from call(env, stations, callee)
    if service in FAR:
        yield env.timeout(ONE_WAY)


def user(env, stations, latencies):
    began = env.now
    yield from call(env, stations, 0)
    latencies.append(env.now - began)


def source(env, requests, stations, latencies):
    for _ in range(requests):
        env.process(user(env, stations, latencies))
        yield env.timeout(random.expovariate(RATE))


def main(requests):
    random.seed(1)
    env = simpy.Environment()
    stations = [simpy.Resource(env, capacity=4) for _ in CALLEES]
    latencies = []
    env.process(source(env, requests, stations, latencies))
    env.run()
    print("units", len(latencies))
    print(f"mean_ms {sum(latencies) / len(latencies) * 1e3:.4f}")


main(int(sys.argv[1]))
