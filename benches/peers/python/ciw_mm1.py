"""An M/M/1 queue at load 0.9 on Ciw: ciw_mm1.py CUSTOMERS."""

import sys

import ciw

MEAN_SERVICE_SECS = 1e-3
LOAD = 0.9


def main(customers):
    ciw.seed(1)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=LOAD / MEAN_SERVICE_SECS)],
        service_distributions=[ciw.dists.Exponential(rate=1 / MEAN_SERVICE_SECS)],
        number_of_servers=[1],
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(customers, method="Finish")
    sojourns = [record.exit_date - record.arrival_date for record in simulation.get_all_records()]
    print("units", len(sojourns))
    print(f"mean_ms {sum(sojourns) / len(sojourns) * 1e3:.4f}")


main(int(sys.argv[1]))
