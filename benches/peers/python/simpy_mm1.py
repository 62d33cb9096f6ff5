"""An M/M/1 queue at load 0.9 on SimPy: simpy_mm1.py CUSTOMERS."""

import random
import sys

import simpy

MEAN_SERVICE_SECS = 1e-3
LOAD = 0.9


def customer(env, server, sojourns):
    arrival = env.now
    with server.request() as request:
        yield request
        yield env.timeout(random.expovariate(1 / MEAN_SERVICE_SECS))
    sojourns.append(env.now - arrival)


def source(env, customers, server, sojourns):
    for _ in range(customers):
        env.process(customer(env, server, sojourns))
        yield env.timeout(random.expovariate(LOAD / MEAN_SERVICE_SECS))


def main(customers):
    random.seed(1)
    env = simpy.Environment()
    sojourns = []
    env.process(source(env, customers, simpy.Resource(env), sojourns))
    env.run()
    print("units", len(sojourns))
    print(f"mean_ms {sum(sojourns) / len(sojourns) * 1e3:.4f}")


main(int(sys.argv[1]))
