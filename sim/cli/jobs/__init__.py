"""What a simulation is as a job: made from a scenario, executed by one process or several, watched from outside."""
