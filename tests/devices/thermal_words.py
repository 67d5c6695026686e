"""What Android's thermal and battery services print."""

PIXEL = """\
IsStatusOverride: false
Thermal Status: 0
Cached temperatures:
\tTemperature{mValue=61.000004, mType=0, mName=BIG, mStatus=0}
\tTemperature{mValue=36.0, mType=1, mName=G3D, mStatus=0}
\tTemperature{mValue=52.000004, mType=0, mName=MID, mStatus=0}
\tTemperature{mValue=37.0, mType=9, mName=TPU, mStatus=0}
HAL Ready: true
HAL connection:
\tThermalHAL 2.0 connected: yes
Current temperatures from HAL:
\tTemperature{mValue=8900.0, mType=7, mName=soft_ocp_gpu, mStatus=0}
\tTemperature{mValue=25.000002, mType=9, mName=TPU, mStatus=0}
\tTemperature{mValue=1300.0, mType=6, mName=smpl_gm, mStatus=0}
\tTemperature{mValue=26.000002, mType=1, mName=G3D, mStatus=0}
\tTemperature{mValue=26.000002, mType=0, mName=BIG, mStatus=0}
\tTemperature{mValue=27.000002, mType=0, mName=LITTLE, mStatus=0}
\tTemperature{mValue=0.0, mType=4, mName=VIRTUAL-USB-THROTTLING, mStatus=0}
\tTemperature{mValue=-0.82000005, mType=-1, mName=USB2-MINUS-QI, mStatus=0}
\tTemperature{mValue=24.83324, mType=3, mName=VIRTUAL-SKIN, mStatus=0}
\tTemperature{mValue=22.1, mType=2, mName=battery, mStatus=0}
Current cooling devices from HAL:
\tCoolingDevice{mValue=0, mType=2, mName=thermal-cpufreq-0}
"""

GALAXY = """\
IsStatusOverride: false
Thermal Status: 1
Cached temperatures:
\tTemperature{mValue=99.0, mType=0, mName=AP, mStatus=3}
HAL Ready: true
Current temperatures from HAL:
\tTemperature{mValue=33.1, mType=0, mName=AP, mStatus=0}
\tTemperature{mValue=31.1, mType=2, mName=BAT, mStatus=1}
\tTemperature{mValue=32.7, mType=3, mName=SKIN, mStatus=0}
\tTemperature{mValue=0.0, mType=2, mName=SUBBAT, mStatus=0}
\tTemperature{mValue=-3.4028235E38, mType=1, mName=GPU, mStatus=0}
\tTemperature{mValue=NaN, mType=9, mName=NPU, mStatus=0}
Current cooling devices from HAL:
\tCoolingDevice{mValue=0, mType=1, mName=x}
"""

BATTERY = """\
Current Battery Service state:
  AC powered: false
  USB powered: true
  Wireless powered: false
  Max charging current: 500000
  status: 2
  health: 2
  present: true
  level: 82
  scale: 100
  voltage: 4248
  temperature: 295
  technology: Li-ion
"""
