"""The call graph of meshsim's benchmarks on Ciw: ciw_call_graph.py REQUESTS.

A request visits its services one after the other, and the link (the last node, with no end of servers) before and
after those that are far: it holds a server for its own work only. Which ones it visits is known when it comes.
"""

import random
import sys
from collections import defaultdict

import ciw

RATE = 50.0
PROBABILITY = 0.3
ONE_WAY = 0.08
CALLEES = [[1, 2, 3, 9], [5], [], [4, 8], [], [6, 7], [], [], [], []]
FAR = {4, 5, 8, 9}
LINK = len(CALLEES) + 1


def visits(service):
    way = [LINK] if service in FAR else []
    route = way + [service + 1]
    for callee in CALLEES[service]:
        if random.random() < PROBABILITY:
            route += visits(callee)
    return route + way


def main(requests):
    ciw.seed(1)
    services = [ciw.dists.Exponential(rate=1 / (0.015 if service == 0 else 0.005)) for service in range(len(CALLEES))]
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=RATE)] + [None] * len(CALLEES),
        service_distributions=services + [ciw.dists.Deterministic(value=ONE_WAY)],
        number_of_servers=[4] * len(CALLEES) + [float("inf")],
        # The first visit is where it comes: to the node of s0.
        routing=ciw.routing.ProcessBased(lambda individual, simulation: visits(0)[1:]),
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(requests, method="Finish")
    began, ended = defaultdict(lambda: float("inf")), defaultdict(float)
    for record in simulation.get_all_records():
        began[record.id_number] = min(began[record.id_number], record.arrival_date)
        ended[record.id_number] = max(ended[record.id_number], record.exit_date)
    # What is still on its way when the last one that was asked for is answered has not ended.
    latencies = [ended[number] - began[number] for number in began]
    print("units", len(latencies))
    print(f"mean_ms {sum(latencies) / len(latencies) * 1e3:.4f}")


main(int(sys.argv[1]))
